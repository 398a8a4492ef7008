import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, backendAvailable, eventually, withConsul, type Backend } from '@holdfast/testing';

const root = join(import.meta.dirname, '../..');
const main = (app: string) => join(root, 'apps', app, 'dist/main.js');

/** What `/mesh` of a process says of one peer of a target. */
export interface PeerState {
  readonly address: string;
  readonly id: string;
  readonly state: string;
  readonly inFlight: number;
  readonly picks: number;
  readonly idleMs: number | null;
}

/** Where a fleet finds itself; `backend` is the registry's own process, where it has one. */
export interface Registry {
  readonly kind: string;
  open(folder: string): Promise<{ url: string; backend?: Backend }>;
}

const file: Registry = { kind: 'file', open: async (folder) => ({ url: `file:${join(folder, 'registry')}` }) };
const consul: Registry = {
  kind: 'consul',
  async open() {
    const backend = await withConsul();
    return { url: backend.url, backend };
  },
};

/** The registries that promises are kept on. Consul is left out, loudly, where there is none and none is required. */
export const registries: readonly Registry[] = backendAvailable('consul') ? [file, consul] : [file];

/** Real processes of the two apps, on one registry and one database, in a folder of their own. */
export class Fleet implements AsyncDisposable {
  readonly users: AppProcess[] = [];
  readonly gateways: AppProcess[] = [];

  private constructor(
    readonly folder: string,
    readonly url: string,
    readonly backend: Backend | undefined,
  ) {}

  static async start(registry: Registry, size: { users: number; gateways: number }): Promise<Fleet> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-fleet-'));
    const { url, backend } = await registry.open(folder);
    const fleet = new Fleet(folder, url, backend);
    for (let n = 0; n < size.users; n++) await fleet.addUsers();
    for (let n = 0; n < size.gateways; n++) await fleet.addGateway();
    await eventually(async () => {
      for (const gateway of fleet.gateways) {
        const ready = (await fleet.peersOf(gateway)).filter(({ state }) => state === 'ready');
        if (ready.length !== size.users) return false;
      }
      return true;
    });
    return fleet;
  }

  async addUsers(): Promise<AppProcess> {
    const app = await AppProcess.start(main('user-service'), { cwd: this.folder, env: this.#env() });
    this.users.push(app);
    return app;
  }

  async addGateway(): Promise<AppProcess> {
    const app = await AppProcess.start(main('gateway'), { cwd: this.folder, env: this.#env() });
    this.gateways.push(app);
    return app;
  }

  /** What `gateway` knows of user-service's instances. */
  async peersOf(gateway: AppProcess): Promise<readonly PeerState[]> {
    const response = await fetch(`${gateway.ready.admin}/mesh`);
    const { targets } = (await response.json()) as { targets: { name: string; peers: PeerState[] }[] };
    return targets.find(({ name }) => name === 'user-service')?.peers ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.gateways, ...this.users].map((app) => app[Symbol.asyncDispose]()));
    await this.backend?.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #env(): Record<string, string> {
    return {
      REGISTRY_URL: this.url,
      DATABASE_URL: `file:${join(this.folder, 'users.db')}`,
      SNAPSHOT_DIR: join(this.folder, 'snapshots'),
    };
  }
}

/** Prints one line with the numbers that a promise was kept with. */
export function report(promise: string, registry: string, numbers: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(numbers).map(([name, value]) => `${name} ${value}`);
  console.log(`promise ${promise} on ${registry}: ${words.join(', ')}`);
}
