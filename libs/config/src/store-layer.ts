import type { Clock, Random } from '@holdfast/core';
import type { ConfigDriver, Reading } from './driver.js';
import { Follower } from './follower.js';
import { History, HISTORY_PATH } from './history.js';
import type { Layer } from './layer.js';
import { SnapshotKeeper } from './snapshot-keeper.js';
import type { ConfigSnapshots } from './snapshots.js';
import type { LayerStatus } from './status.js';

export interface StoreLayerDeps {
  readonly service: string;
  readonly clock: Clock;
  readonly snapshots: ConfigSnapshots | undefined;
  readonly onReading: (layer: StoreLayer, reading: Reading) => void;
  /** Told when the layer's snapshot is to stand in for its store. */
  readonly onRecall: (layer: StoreLayer) => void;
  /** Told when the store begins to answer or to fail. */
  readonly onContact: () => void;
  readonly log: (message: string) => void;
}

/** One store as a layer of the settings: whether it answers, where its texts are from, and its snapshot. */
export class StoreLayer {
  readonly entries: Layer;
  readonly #driver: ConfigDriver;
  readonly #deps: StoreLayerDeps;
  readonly #keeper: SnapshotKeeper | undefined;
  #status: LayerStatus;
  #follower: Follower | undefined;
  #history: string | undefined;

  constructor(driver: ConfigDriver, entries: Layer, deps: StoreLayerDeps) {
    this.entries = entries;
    this.#driver = driver;
    this.#deps = deps;
    const { snapshots, service, clock, log } = deps;
    this.#keeper = driver.remote && snapshots ? new SnapshotKeeper(entries, service, snapshots, clock, log) : undefined;
    this.#status = { name: driver.name, contact: 'unknown', since: clock.wallTime(), origin: 'none' };
  }

  get status(): LayerStatus {
    return this.#status;
  }

  /** Begins to follow the store; resolves when it has answered, when its snapshot stands in for it, or when `late` aborts. */
  async start(random: Random, late: AbortSignal): Promise<void> {
    this.entries.recall((await this.#keeper?.load()) ?? new Map());
    await new Promise<void>((resolve) => {
      this.#follower = new Follower(this.#driver, {
        service: this.#deps.service,
        clock: this.#deps.clock,
        random,
        onReading: (reading) => {
          this.#answered(reading);
          resolve();
        },
        onFailure: (reason) => {
          this.#failed(reason);
          // With a snapshot there is something to start with; without one, a second try may be worth the wait.
          if (this.#recall()) resolve();
        },
      });
      if (late.aborted) resolve();
      late.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#recall();
  }

  /** Writes what is in use to disk, where that is the store's own word. */
  keep(): void {
    if (this.#status.origin === 'store') this.#keeper?.saveSoon();
  }

  async close(): Promise<void> {
    await this.#follower?.close();
    await this.#keeper?.close();
  }

  #recall(): boolean {
    if (this.#status.origin !== 'none' || this.entries.fallback.size === 0) return this.#status.origin !== 'none';
    this.#status = { ...this.#status, origin: 'snapshot' };
    this.#deps.log(`${this.#driver.name} does not answer; what it said before the last stop is in use`);
    this.#deps.onRecall(this);
    return true;
  }

  #answered({ cursor, entries }: Reading): void {
    const { contact, since, name } = this.#status;
    if (contact === 'down') this.#deps.log(`${name} answers again`);
    this.#status = {
      name,
      contact: 'up',
      since: contact === 'up' ? since : this.#deps.clock.wallTime(),
      origin: 'store',
      cursor,
      ...this.#revisionIn(entries),
    };
    this.#deps.onReading(this, { cursor, entries });
  }

  /** The history is read where its text is another one: it can be long, and most readings leave it alone. */
  #revisionIn(entries: Reading['entries']): Pick<LayerStatus, 'revision'> {
    const text = entries.get(HISTORY_PATH);
    if (text === this.#history && this.#status.revision) return { revision: this.#status.revision };
    this.#history = text;
    const last = History.read(text).revisions.at(-1);
    return last ? { revision: { revision: last.revision, at: last.at, by: last.by } } : {};
  }

  #failed(reason: string): void {
    const { contact, since } = this.#status;
    if (contact !== 'down') {
      this.#deps.log(`${this.#driver.name} cannot be reached; what is in use stays so: ${reason}`);
    }
    const at = contact === 'down' ? since : this.#deps.clock.wallTime();
    this.#status = { ...this.#status, contact: 'down', since: at, reason };
    this.#deps.onContact();
  }
}
