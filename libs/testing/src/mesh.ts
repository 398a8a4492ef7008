import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startService, type RunningService, type ServiceOptions } from '@holdfast/service';
import { Logger, type DynamicModule, type Type } from '@nestjs/common';

/**
 * A whole mesh in one process: services on free loopback ports that find each other in a registry of their own and have settings of their own, for tests
 * of an app with its neighbours. What needs real processes (crashes, signals) uses `AppProcess`.
 */
export class Mesh implements AsyncDisposable {
  readonly #services: RunningService[] = [];
  readonly #registry = `memory:${randomUUID()}`;
  /** Where its services have their settings: a store to open and to write to. */
  readonly configUrl = `memory:${randomUUID()}`;

  private constructor(private readonly folder: string) {}

  static async open(): Promise<Mesh> {
    Logger.overrideLogger(['warn', 'error']);
    return new Mesh(await mkdtemp(join(tmpdir(), 'holdfast-mesh-')));
  }

  /** A folder that goes with the mesh: for the apps' files. */
  get path(): string {
    return this.folder;
  }

  /** Starts one instance; `options.env` is all of its environment beside the mesh's own settings. */
  async start(app: Type | DynamicModule, options: ServiceOptions): Promise<RunningService> {
    const env = {
      PORT: '0',
      REGISTRY_URL: this.#registry,
      CONFIG_URL: this.configUrl,
      SNAPSHOT_DIR: join(this.folder, 'snapshots'),
      DRAIN_MS: '2000',
    };
    const service = await startService(app, { ...options, env: { ...env, ...options.env } });
    this.#services.push(service);
    return service;
  }

  /** Stops what still runs, callers before what they call. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.#services.toReversed()) await service.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
