import { sleep, type Clock } from '@holdfast/core';
import type { Layer } from './layer.js';
import type { ConfigSnapshots } from './snapshots.js';

/** Changes that come within so many milliseconds are written to disk once. */
const DELAY_MS = 500;

/** Keeps the snapshot of one layer as it is in use. A disk that fails is reported and otherwise nothing to the process. */
export class SnapshotKeeper {
  readonly #layer: Layer;
  readonly #service: string;
  readonly #snapshots: ConfigSnapshots;
  readonly #clock: Clock;
  readonly #log: (message: string) => void;
  readonly #stop = new AbortController();
  #saved: string | undefined;
  #saving: Promise<void> | undefined;

  constructor(layer: Layer, service: string, snapshots: ConfigSnapshots, clock: Clock, log: (message: string) => void) {
    this.#layer = layer;
    this.#service = service;
    this.#snapshots = snapshots;
    this.#clock = clock;
    this.#log = log;
  }

  /** What was in use in an earlier life of the process; undefined where nothing was kept. */
  load(): Promise<ReadonlyMap<string, string> | undefined> {
    return this.#snapshots.load(this.#layer.name, this.#service);
  }

  /** Writes what is in use by then, soon. */
  saveSoon(): void {
    this.#saving ??= sleep(this.#clock, DELAY_MS, this.#stop.signal)
      .catch(() => {})
      .then(() => {
        this.#saving = undefined;
        return this.#save();
      });
  }

  /** Writes at once what is still to be written. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('closed'));
    await this.#saving;
  }

  async #save(): Promise<void> {
    const texts = this.#layer.texts();
    const content = JSON.stringify([...texts]);
    if (content === this.#saved) return;
    try {
      await this.#snapshots.save(this.#layer.name, this.#service, texts);
      this.#saved = content;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
      this.#log(`the snapshot of ${this.#layer.name} was not saved (${code})`);
    }
  }
}
