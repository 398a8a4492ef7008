import { backoffDelay, sleep, type Clock, type Random } from '@holdfast/core';
import type { ConfigDriver, Reading } from './driver.js';

/** Delays between two tries while the store is down: never two in one second, and back within 5 s of its return. */
const RETRY = { minMs: 1_000, initialMs: 2_000, maxMs: 5_000 };
/** Two readings of one store are at least this far apart, in milliseconds: what one that changes all the time can cost. */
const SPACING_MS = 25;

export interface FollowerDeps {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of every reading. */
  readonly onReading: (reading: Reading) => void;
  /** Told of every failure, with a reason as one sentence. */
  readonly onFailure: (reason: string) => void;
}

/** Follows one store for as long as the process lives: waits for its changes, and tries again, with back-off, while it is down. */
export class Follower {
  readonly #driver: ConfigDriver;
  readonly #deps: FollowerDeps;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(driver: ConfigDriver, deps: FollowerDeps) {
    this.#driver = driver;
    this.#deps = deps;
    this.#running = this.#follow(this.#stop.signal);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('closed'));
    await this.#running;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { service, clock, random, onReading, onFailure } = this.#deps;
    let cursor: string | undefined;
    let failures = 0;
    while (!signal.aborted) {
      let wait = SPACING_MS;
      try {
        const reading = await this.#driver.read(service, cursor, signal);
        if (signal.aborted) return;
        failures = 0;
        if (reading.cursor !== cursor) onReading(reading);
        cursor = reading.cursor;
      } catch (error) {
        if (signal.aborted) return;
        onFailure(error instanceof Error ? error.message : String(error));
        // Whatever was waited on is in doubt, so the next read asks for everything.
        cursor = undefined;
        wait = backoffDelay(failures++, random, RETRY);
      }
      await sleep(clock, wait, signal).catch(() => {});
    }
  }
}
