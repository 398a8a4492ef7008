import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { backendAvailable, eventually } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cloneInstalled } from './clone.js';

const run = promisify(execFile);
const steps: [string, number][] = [];

let folder: string;
let mesh: ChildProcess | undefined;
let shown = '';

/** Does one step of the way, and notes how long it took. */
async function step<T>(name: string, work: () => Promise<T> | T): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  steps.push([name, performance.now() - startedAt]);
  return result;
}

const npm = (...args: readonly string[]) =>
  run('npm', ['run', '--silent', ...args], { cwd: folder, maxBuffer: 2 ** 24 });
const make = (...args: readonly string[]) => npm('new', '--', ...args);

/** What a user would write: an invoice says whether there is an order of its name, and an order whether there is an invoice. */
function callEachOther(): void {
  for (const [one, many, other] of [
    ['invoice', 'invoices', 'Orders'],
    ['order', 'orders', 'Invoices'],
  ] as const) {
    const path = join(folder, `apps/${one}-service/src/${many}/${many}.controller.ts`);
    const otherFolder = other.toLowerCase();
    const text = readFileSync(path, 'utf8')
      .replace(
        "import { Controller } from '@nestjs/common';",
        `import { Controller } from '@nestjs/common';\nimport { ${other}Client } from '../${otherFolder}/${otherFolder}.client.js';`,
      )
      .replace(
        / {2}constructor\(([^)]*)@InjectSelf\(\) self: Self,?\s*\) \{/,
        `  constructor($1@InjectSelf() self: Self, private readonly ${otherFolder}: ${other}Client) {`,
      )
      .replace(
        /servedBy: this\.#self\.id,\n/,
        `servedBy: await this.${otherFolder}.create(name).then(({ servedBy }) => servedBy),\n`,
      );
    expect(text.match(new RegExp(`${other}Client`, 'g'))).toHaveLength(2);
    expect(text).toContain(`this.${otherFolder}.create`);
    writeFileSync(path, text);
    // Its specs make the controller by hand, and know nothing of the other service yet.
    const spec = path.replace('.ts', '.spec.ts');
    writeFileSync(
      spec,
      readFileSync(spec, 'utf8').replace(
        '(repository, self)',
        `(repository, self, { create: async () => ({ servedBy: '${one}-service-1' }) } as never)`,
      ),
    );
  }
}

// Far below these bounds where nothing else runs; what takes so long then is the compiler.
describe('from a clone to services of one’s own', { timeout: 240_000 }, () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-new-'));
  });

  afterAll(async () => {
    if (mesh?.exitCode === null && mesh.signalCode === null) {
      const ended = once(mesh, 'exit');
      mesh.kill('SIGINT');
      const timer = setTimeout(() => mesh?.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
    }
    rmSync(folder, { recursive: true, force: true });
    const width = Math.max(...steps.map(([name]) => name.length));
    for (const [name, ms] of steps) console.log(`${name.padEnd(width)}  ${(ms / 1_000).toFixed(1).padStart(5)} s`);
    console.log(
      `${'in all'.padEnd(width)}  ${(steps.reduce((sum, [, ms]) => sum + ms, 0) / 1_000).toFixed(1).padStart(5)} s`,
    );
  });

  it('two services, each with a client of the other, and routes to both are made', async () => {
    await step('a clone, installed and built', () => cloneInstalled(folder));
    await step('npm run new -- service orders', () => make('service', 'orders'));
    await step('npm run new -- gateway-route orders', () => make('gateway-route', 'orders'));
    await step('npm run new -- service invoices --no-build', () => make('service', 'invoices', '--no-build'));
    await step('npm run new -- gateway-route invoices --no-build', () =>
      make('gateway-route', 'invoices', '--no-build'),
    );
    await step('npm run new -- client orders --in invoice-service', () =>
      make('client', 'orders', '--in', 'invoice-service', '--no-build'),
    );
    await step('npm run new -- client invoices --in order-service', () =>
      make('client', 'invoices', '--in', 'order-service', '--no-build'),
    );
    const { stdout } = await step('the same again, which changes nothing', () => make('service', 'orders'));
    expect(stdout).toContain('Everything is there already; nothing was changed.');
  });

  it('what a user writes to make them call each other compiles, and their specs pass', async () => {
    callEachOther();
    await step('npm run docs, which builds', () => npm('docs'));
    // Those of invoice-service are the same with other words.
    const specs = [
      '--project',
      'specs',
      'apps/order-service',
      'apps/gateway/src/orders',
      'test/architecture.spec.ts',
      'test/compose.spec.ts',
    ];
    const { stdout } = await step('their specs', () =>
      run('npx', ['vitest', 'run', ...specs], {
        cwd: folder,
        maxBuffer: 2 ** 24,
        env: { ...process.env, NO_COLOR: '1' },
      }),
    );
    expect(stdout).toMatch(/Tests +\d\d+ passed/);
    await step('npm ci would take the lock file', () => run('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts'], { cwd: folder, maxBuffer: 2 ** 24 })); // prettier-ignore
  });

  it('the mesh has them, and both answer through the gateway, each with the help of the other', async () => {
    await step('npm start', async () => {
      const env = {
        ...process.env,
        PORT: '0',
        ADMIN_PORT: '0',
        NO_COLOR: '1',
        REGISTRY_URL: `file:${join(folder, 'registry')}`,
      };
      mesh = spawn(process.execPath, ['tools/dist/mesh/main.js', '--replicas', '1'], { cwd: folder, env });
      for (const stream of [mesh.stdout!, mesh.stderr!])
        stream.on('data', (chunk: Buffer) => (shown += chunk.toString()));
      await eventually(() => expect(shown).toContain('Ctrl-C drains and stops.'), { withinMs: 60_000 });
    });
    for (const app of ['gateway', 'user-service-1', 'order-service-1', 'invoice-service-1']) {
      expect(shown).toMatch(new RegExp(`^${app} +ready in`, 'm'));
    }
    const edge = /curl (http:\/\/\S+)\/orders$/m.exec(shown)![1]!;
    const ask = async (path: string, init?: RequestInit) =>
      (await fetch(`${edge}${path}`, init)).json() as Promise<object>;
    const post = (path: string) =>
      ask(path, { method: 'POST', body: '{"name":"first"}', headers: { 'content-type': 'application/json' } });
    await step('the first calls', async () => {
      expect(await post('/orders')).toMatchObject({
        name: 'first',
        servedBy: expect.stringMatching(/^order-service-/),
      });
      expect(await ask('/orders/first')).toMatchObject({
        name: 'first',
        servedBy: expect.stringMatching(/^invoice-service-/),
      });
      expect(await ask('/invoices')).toEqual([{ name: 'first' }]);
      await post('/invoices');
      expect(await ask('/users/alice')).toMatchObject({ message: 'Hello, alice' });
    });
  });

  it.skipIf(!backendAvailable('kubectl'))('Kubernetes’ manifests have them', async () => {
    const { stdout } = await step('kubectl kustomize', () => run('kubectl', ['kustomize', 'k8s/overlays/istio'], { cwd: folder, maxBuffer: 2 ** 24 })); // prettier-ignore
    for (const app of ['order-service', 'invoice-service']) {
      expect(stdout.match(new RegExp(`^ {2}name: ${app}$`, 'gm'))!.length).toBeGreaterThanOrEqual(7);
    }
  });

  it('a wish that cannot be is one sentence and exit code 1, and nothing was written', async () => {
    const apps = readdirSync(join(folder, 'apps'));
    const failure: unknown = await run(process.execPath, ['tools/dist/new/main.js', 'service', 'Class'], {
      cwd: folder,
    }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^"Class" is no name: .*\.\n$/),
    });
    expect(readdirSync(join(folder, 'apps'))).toEqual(apps);
  });
});
