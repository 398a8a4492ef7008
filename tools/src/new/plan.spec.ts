import { StartupError } from '@holdfast/core';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { root } from '../apps.js';
import { DiskTree } from './disk.js';
import { planOf, type Wish } from './plan.js';
import type { Change, Tree } from './tree.js';

/** The living repository, with changes that are nowhere but in memory: where an anchor moves, these specs see it. */
class MemoryTree implements Tree {
  readonly #disk = new DiskTree(root);
  readonly #files = new Map<string, string | undefined>();

  read(path: string): string | undefined {
    return this.#files.has(path) ? this.#files.get(path) : this.#disk.read(path);
  }

  list(folder: string): readonly string[] {
    const mine = [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
    const all = new Set([...this.#disk.list(folder), ...mine]);
    return [...all].filter((path) => this.read(path) !== undefined);
  }

  write(path: string, text: string | undefined): this {
    this.#files.set(path, text);
    return this;
  }

  /** Plans, and makes the changes. */
  async grow(wish: Wish): Promise<readonly Change[]> {
    const { changes } = await planOf(wish, this);
    for (const { path, after } of changes) this.write(path, after);
    return changes;
  }
}

const service = (name: string): Wish => ({ what: 'service', name });
const route = (name: string): Wish => ({ what: 'gateway-route', name });
const client = (name: string, app: string): Wish => ({ what: 'client', name, in: app });
const pathsOf = (changes: readonly Change[]) => changes.map(({ path }) => path);

async function refusalOf(wish: Wish, tree: Tree = new MemoryTree()): Promise<string> {
  const error: unknown = await planOf(wish, tree).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StartupError);
  return (error as StartupError).message;
}

/** That the lines of `before` are all there, in their order: nothing was reformatted, and no comment lost. */
function expectOnlyAdded({ path, before = '', after }: Change): void {
  const lines = after.split('\n');
  let at = 0;
  for (const line of before.split('\n')) {
    const found = lines.indexOf(line, at);
    expect(found, `${path}: ${line}`).toBeGreaterThanOrEqual(at);
    at = found + 1;
  }
}

describe('a new service', () => {
  it('is in the build and in every deployment, and nothing that was there is touched', async () => {
    const changes = await new MemoryTree().grow(service('orders'));
    const changed = changes.filter(({ before }) => before !== undefined);
    expect(pathsOf(changed).toSorted()).toEqual([
      'deploy/compose.yaml',
      'deploy/observability/prometheus/targets.yaml',
      'k8s/base/kustomization.yaml',
      'k8s/overlays/istio/kustomization.yaml',
      'k8s/overlays/istio/mesh.yaml',
      'nest-cli.json',
      'package-lock.json',
      'tsconfig.json',
    ]);
    for (const change of changed) {
      expectOnlyAdded(change);
      expect(change.after, change.path).toContain('order-service');
    }
    for (const { path, after } of changes) {
      if (!path.endsWith('.yaml')) continue;
      for (const document of parseAllDocuments(after)) expect([path, document.errors]).toEqual([path, []]);
    }
  });

  it.each(['orders', 'line-items'])(
    'about %s has no word of users, greetings or the demo, and parses',
    async (name) => {
      const changes = await new MemoryTree().grow(service(name));
      const made = changes.filter(({ before }) => before === undefined);
      expect(made.length).toBeGreaterThan(15);
      for (const { path, after } of made) {
        expect(`${path}\n${after}`).not.toMatch(/users?(?![a-z])|greet|\balice\b|\bdemo\b|#region|#endregion/i);
        if (!path.endsWith('.ts')) continue;
        const { diagnostics } = ts.transpileModule(after, { reportDiagnostics: true });
        expect([path, diagnostics]).toEqual([path, []]);
      }
    },
  );

  it('has its file of data, its ports of metrics, and admits nobody yet', async () => {
    const tree = new MemoryTree();
    await tree.grow(service('orders'));
    await tree.grow(service('invoices'));
    expect(tree.read('apps/order-service/src/settings.ts')).toContain("'file:.holdfast/orders.db'");
    const targets = tree.read('deploy/observability/prometheus/targets.yaml')!;
    const ports = [...targets.matchAll(/:(\d+)'/g)].map(([, port]) => port);
    expect(new Set(ports).size).toBe(ports.length);
    expect(tree.read('k8s/base/order-service/network.yaml')).toContain('ingress: []');
  });

  it('is made once: the second time changes nothing', async () => {
    const tree = new MemoryTree();
    await tree.grow(service('orders'));
    const again = await planOf(service('order'), tree);
    expect(again).toMatchObject({ changes: [], kept: [] });
  });

  it('that is half done is completed, and what somebody wrote stays', async () => {
    const tree = new MemoryTree();
    const all = await tree.grow(service('orders'));
    tree.write('apps/order-service/src/main.ts', '// mine\n');
    tree.write('k8s/base/order-service/service.yaml', undefined);
    const before = all.find(({ path }) => path === 'deploy/compose.yaml')!.before;
    tree.write('deploy/compose.yaml', before);
    const { changes, kept } = await planOf(service('orders'), tree);
    expect(pathsOf(changes).toSorted()).toEqual(['deploy/compose.yaml', 'k8s/base/order-service/service.yaml']);
    expect(kept).toEqual(['apps/order-service/src/main.ts']);
  });

  it('does not inherit the clients that the living service was given', async () => {
    const tree = new MemoryTree();
    await tree.grow(service('orders'));
    await tree.grow(client('orders', 'user-service'));
    expect(tree.read('apps/user-service/src/app.module.ts')).toContain('OrdersClient');
    const changes = await tree.grow(service('invoices'));
    const programs = changes.filter(({ path }) => path.startsWith('apps/invoice-service/src'));
    expect(programs.length).toBeGreaterThan(5);
    expect(programs.filter(({ after }) => /Orders?[CS]/.test(after))).toEqual([]);
    expect(tree.read('k8s/base/invoice-service/network.yaml')).toContain('policyTypes: [Ingress]\n');
  });
});

describe('a noun with a plural of its own', () => {
  it('is known by either word from then on', async () => {
    const tree = new MemoryTree();
    await tree.grow({ what: 'service', name: 'person', plural: 'people' });
    for (const word of ['people', 'person']) {
      expect(await planOf(service(word), tree)).toMatchObject({ changes: [], kept: [] });
    }
    expect(pathsOf(await tree.grow(route('people')))).toContain('apps/gateway/src/people/person-answers.ts');
  });
});

describe('a new client', () => {
  it('is wired, and both network policies know of it', async () => {
    const tree = new MemoryTree();
    await tree.grow(service('orders'));
    await tree.grow(service('invoices'));
    for (const change of await tree.grow(client('orders', 'invoice-service'))) {
      if (change.before !== undefined && change.path !== 'package-lock.json' && change.path.endsWith('.json')) expectOnlyAdded(change); // prettier-ignore
    }
    const module = tree.read('apps/invoice-service/src/app.module.ts')!;
    expect(module).toContain("RpcModule.client(OrderServiceDefinition, { target: 'order-service' })");
    expect(module).toContain('providers: [InvoicesRepository, OrdersClient]');
    expect(tree.read('apps/invoice-service/package.json')).toContain('"@holdfast/resilience": "*"');
    expect(tree.read('apps/invoice-service/tsconfig.json')).toContain('"../../libs/resilience"');
    const policy = (app: string) => tree.read(`k8s/base/${app}/network.yaml`)!;
    expect(policy('order-service')).toContain(
      'podSelector: { matchLabels: { app.kubernetes.io/name: invoice-service } }',
    );
    expect(policy('invoice-service')).toContain('policyTypes: [Ingress, Egress]');
    expect(await planOf(client('orders', 'invoice-service'), tree)).toMatchObject({ changes: [] });
  });

  it('is put into a module of any shape, or the refusal says what to add by hand', async () => {
    const tree = new MemoryTree();
    await tree.grow(service('orders'));
    const module = 'apps/user-service/src/app.module.ts';
    tree.write(
      module,
      "import { Module } from '@nestjs/common';\n\n/** Mine. */\n@Module({})\nexport class AppModule {}\n",
    );
    await tree.grow(client('orders', 'user-service'));
    expect(tree.read(module)).toContain('providers: [OrdersClient]');
    expect(tree.read(module)).toContain('/** Mine. */');
    tree.write(
      module,
      "import { Module } from '@nestjs/common';\nconst all = [];\n@Module({ imports: all })\nexport class AppModule {}\n",
    );
    expect(await refusalOf(client('orders', 'user-service'), tree)).toContain('imports is not written as a list');
    tree.write(module, 'export class AppModule {}\n');
    expect(await refusalOf(client('orders', 'user-service'), tree)).toContain('add it by hand');
  });
});

describe('a new route of the gateway', () => {
  it('has a controller with its specs, and is made once', async () => {
    const tree = new MemoryTree();
    await tree.grow(service('orders'));
    const changes = await tree.grow(route('orders'));
    expect(pathsOf(changes)).toContain('apps/gateway/src/orders/orders.controller.spec.ts');
    expect(tree.read('apps/gateway/src/app.module.ts')).toContain('controllers: [UsersController, OrdersController]');
    const made = changes.filter(({ before }) => before === undefined).map(({ after }) => after);
    expect(made.join('\n')).not.toMatch(/users?(?![a-z])|greet|\balice\b|\bdemo\b/i);
    expect(await planOf(route('orders'), tree)).toMatchObject({ changes: [], kept: [] });
  });
});

describe('what cannot be made is refused with one sentence', () => {
  it.each([
    [service('Orders'), '"Orders" is no name'],
    [service('names'), '"name" is a word that the programs to be made have themselves'],
    [service('answers'), '"answer" is a word that'],
    [service('databases'), '"database" is a word that'],
    [client('orders', 'billing'), 'There is no app "billing"; there are gateway, user-service.'],
    [route('orders'), 'There is no order-service to call yet: make it first, with npm run new -- service orders.'],
    [client('users', 'user-service'), 'user-service has no need of a client of itself'],
  ])('%j', async (wish, sentence) => expect(await refusalOf(wish)).toContain(sentence));

  it('a contract of that name for something else', async () => {
    const tree = new MemoryTree().write('proto/order/v1/order.proto', 'syntax = "proto3";\n');
    expect(await refusalOf(service('orders'), tree)).toBe(
      'proto/order/v1/order.proto is there already and has no OrderService: choose another name.',
    );
  });

  it('where the living parts are gone', async () => {
    const tree = new MemoryTree().write('proto/user/v1/user.proto', undefined);
    expect(await refusalOf(service('orders'), tree)).toContain('proto/user/v1/user.proto is not there');
  });
});
