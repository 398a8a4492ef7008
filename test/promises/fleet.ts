import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, backendAvailable, eventually, withConsul, type Backend } from '@holdfast/testing';

const root = join(import.meta.dirname, '../..');
/** The built entry of an app. */
export const main = (app: string) => join(root, 'apps', app, 'dist/main.js');

/** What `/mesh` of a process says of one peer of a target. */
export interface PeerState {
  readonly address: string;
  readonly id: string;
  readonly zone?: string;
  readonly state: string;
  readonly why?: string;
  /** Since when it has taken calls, or been ejected: milliseconds since the epoch, null before. */
  readonly since: number | null;
  readonly inFlight: number;
  readonly picks: number;
  readonly ewmaMs: number | null;
  readonly successRate: number;
  readonly share: number;
  readonly idleMs: number | null;
}

/** What it says of the target as a whole. */
export interface TargetState {
  readonly name: string;
  readonly origin: string;
  /** Ids of instances that are kept against the registry's word. */
  readonly held: readonly string[];
  readonly panic: boolean;
  readonly peers: readonly PeerState[];
}

/** How a process sees the target; one that it does not know is empty. */
export async function targetOf(caller: AppProcess, name: string): Promise<TargetState> {
  const response = await fetch(`${caller.ready.admin}/mesh`);
  const { targets } = (await response.json()) as { targets: TargetState[] };
  return targets.find((target) => target.name === name) ?? { name, origin: 'none', held: [], panic: false, peers: [] };
}

export async function peersOf(caller: AppProcess, name: string): Promise<readonly PeerState[]> {
  return (await targetOf(caller, name)).peers;
}

/** Where a fleet finds itself. */
export interface Registry {
  readonly kind: string;
  /**
   * The registry's URL, and the one that gateways use where that is another; `backend` is the registry's own process,
   * where it has one.
   */
  open(folder: string): Promise<{ url: string; gatewayUrl?: string; backend?: Backend }>;
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
    readonly gatewayUrl: string,
    readonly backend: Backend | undefined,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** @param env what all processes have in their environment beside what they need to find each other */
  static async start(
    registry: Registry,
    size: { users: number; gateways: number },
    env: Readonly<Record<string, string>> = {},
  ): Promise<Fleet> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-fleet-'));
    const { url, gatewayUrl = url, backend } = await registry.open(folder);
    const fleet = new Fleet(folder, url, gatewayUrl, backend, env);
    for (let n = 0; n < size.users; n++) await fleet.addUsers();
    for (let n = 0; n < size.gateways; n++) await fleet.addGateway();
    await eventually(async () => {
      for (const gateway of fleet.gateways) {
        const ready = (await fleet.peersOf(gateway)).filter(({ state }) => state === 'ready' || state === 'warming');
        if (ready.length !== size.users) return false;
      }
      return true;
    });
    return fleet;
  }

  async addUsers(): Promise<AppProcess> {
    const app = await AppProcess.start(main('user-service'), { cwd: this.folder, env: this.#env(this.url) });
    this.users.push(app);
    return app;
  }

  async addGateway(): Promise<AppProcess> {
    const app = await AppProcess.start(main('gateway'), { cwd: this.folder, env: this.#env(this.gatewayUrl) });
    this.gateways.push(app);
    return app;
  }

  /** What `gateway` knows of user-service's instances. */
  peersOf(gateway: AppProcess): Promise<readonly PeerState[]> {
    return peersOf(gateway, 'user-service');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.gateways, ...this.users].map((app) => app[Symbol.asyncDispose]()));
    await this.backend?.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #env(registryUrl: string): Record<string, string> {
    return {
      REGISTRY_URL: registryUrl,
      DATABASE_URL: `file:${join(this.folder, 'users.db')}`,
      SNAPSHOT_DIR: join(this.folder, 'snapshots'),
      ...this.env,
    };
  }
}

/** Prints one line with the numbers that a promise was kept with. */
export function report(promise: string, registry: string, numbers: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(numbers).map(([name, value]) => `${name} ${value}`);
  console.log(`promise ${promise} on ${registry}: ${words.join(', ')}`);
}
