import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openConfigDriver, type Changes, type ConfigDriver } from '@holdfast/config';
import { systemClock } from '@holdfast/core';
import {
  AppProcess,
  backendAvailable,
  eventually,
  startEtcdCluster,
  withConsul,
  withEtcd,
  type Backend,
} from '@holdfast/testing';

/** A store of settings that processes follow. */
export interface Store {
  readonly kind: string;
  open(folder: string): Promise<OpenStore>;
}

export interface OpenStore {
  readonly url: string;
  /** Ends the server, or of several the leading one, rudely; it comes back with what it has on disk. */
  crash?(): Promise<() => Promise<void>>;
  /** Makes the store forget how it came to its present state. */
  compact?(): Promise<void>;
  stop?(): Promise<void>;
}

const file: Store = { kind: 'file', open: async (folder) => ({ url: `file:${join(folder, 'holdfast.yaml')}` }) };

/** What etcd's JSON gateway answers. */
async function askEtcd(address: string, path: string, body: object): Promise<{ header: { revision: string } }> {
  const response = await fetch(`http://${address}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
  return (await response.json()) as { header: { revision: string } };
}

async function compact(address: string): Promise<void> {
  const { header } = await askEtcd(address, 'range', { key: 'Lw==' });
  await askEtcd(address, 'compaction', { revision: header.revision, physical: true });
}

const one = (kind: string, start: () => Promise<Backend>, prefix: string): Store => ({
  kind,
  async open() {
    const backend = await start();
    return {
      url: `${backend.url}/${prefix}`,
      crash: async () => {
        await backend.kill();
        return () => backend.restart();
      },
      ...(kind === 'etcd' && { compact: () => compact(backend.address) }),
      stop: () => backend.stop(),
    };
  },
});

const etcdCluster: Store = {
  kind: 'etcd of three members',
  async open() {
    const cluster = await startEtcdCluster();
    return {
      url: `${cluster.url}/config`,
      crash: async () => {
        const leader = await cluster.leader();
        await leader.kill();
        return () => leader.restart();
      },
      compact: async () => compact((await cluster.leader()).address),
      stop: () => cluster.stop(),
    };
  },
};

/** The stores that the promise is kept on; one whose program is absent is left out, loudly, where none is required. */
export const stores: readonly Store[] = [
  file,
  ...(backendAvailable('etcd') ? [one('etcd', withEtcd, 'config'), etcdCluster] : []),
  // A server with its data on disk: a development agent forgets everything.
  ...(backendAvailable('consul') ? [one('consul', () => withConsul({ durable: true }), 'config')] : []),
];

/** What a process has seen: the numbers, and when. */
export interface Sight {
  readonly first: number;
  readonly second: number;
  readonly echo: number;
  readonly at: number;
}

/** Processes that follow one store, and a hand that writes to it. */
export class Followers implements AsyncDisposable {
  readonly processes: AppProcess[] = [];

  private constructor(
    readonly store: OpenStore,
    private readonly folder: string,
    private readonly driver: ConfigDriver,
  ) {}

  static async start(kind: Store, size: number): Promise<Followers> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-followers-'));
    const store = await kind.open(folder);
    const followers = new Followers(
      store,
      folder,
      await openConfigDriver(store.url, { clock: systemClock, random: Math.random }),
    );
    await followers.write([['', '{}']]);
    for (let n = 0; n < size; n++) {
      const env = {
        CONFIG_URL: store.url,
        REGISTRY_URL: 'memory:',
        SNAPSHOT_DIR: join(folder, `snapshots-${n}`),
        LOG_LEVEL: 'error',
      };
      const main = join(import.meta.dirname, '../../libs/testing/dist/follower/main.js');
      followers.processes.push(await AppProcess.start(main, { env }));
    }
    return followers;
  }

  /** Writes texts by path; gives the moment at which the store had them, in milliseconds since the epoch. */
  async write(changes: Iterable<readonly [string, string | undefined]>): Promise<number> {
    await eventually(
      async () => {
        const { cursor } = await this.driver.read('follower', undefined, AbortSignal.timeout(5_000));
        return this.driver.write('follower', new Map(changes) as Changes, cursor, AbortSignal.timeout(5_000));
      },
      { withinMs: 60_000 },
    );
    return Date.now();
  }

  /** Writes a document in which all three numbers are `mark`. */
  mark(mark: number): Promise<number> {
    return this.write([['', `marks: { first: ${mark}, second: ${mark} }\necho: ${mark}\n`]]);
  }

  /** Everything that each process has seen so far. */
  sights(): readonly (readonly Sight[])[] {
    return this.processes.map(({ printed }) =>
      [...printed.matchAll(/^saw (\d+) (\d+) (\d+) (\d+)$/gm)].map((match) => {
        const [first, second, echo, at] = match.slice(1).map(Number) as [number, number, number, number];
        return { first, second, echo, at };
      }),
    );
  }

  /** Waits until every process has seen `mark` last; gives the latest moment at which one did. */
  async haveSeen(mark: number, withinMs = 10_000): Promise<number> {
    return eventually(
      () => {
        const last = this.sights().map((sights) => sights.at(-1));
        if (!last.every((sight) => sight?.first === mark)) throw new Error(`not all have seen ${mark}`);
        return Math.max(...last.map((sight) => sight!.at));
      },
      { withinMs, everyMs: 5 },
    );
  }

  /** What readiness says of each process's settings. */
  readiness(): Promise<readonly { status: number; degraded: boolean; reasons?: readonly string[] }[]> {
    return Promise.all(
      this.processes.map(async ({ ready }) => {
        const response = await fetch(`${ready.admin}/readyz`);
        const { details } = (await response.json()) as {
          details: { config: { degraded: boolean; reasons?: string[] } };
        };
        return { ...details.config, status: response.status };
      }),
    );
  }

  /** Does the work of each process once. */
  work(): Promise<readonly { error: string; breaker: string; tokens: number }[]> {
    return Promise.all(
      this.processes.map(async ({ ready }) => {
        const response = await fetch(`${ready.http}/work`);
        return (await response.json()) as { error: string; breaker: string; tokens: number };
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map((app) => app[Symbol.asyncDispose]()));
    await this.driver.close();
    await this.store.stop?.();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
