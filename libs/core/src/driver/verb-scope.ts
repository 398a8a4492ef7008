import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';

export interface VerbBounds {
  /** The caller's signal. */
  readonly signal: AbortSignal;
  /** The longest the verb may take, in milliseconds. */
  readonly withinMs: number;
}

/** A verb's time was over. */
export class NoAnswer extends Error {}

/**
 * The end of every verb of a driver, in one place: it rejects with the signal's reason when its caller gives up, with a
 * sentence when the driver closes or its time is over, and whatever it was doing is told by a signal of its own.
 */
export class VerbScope {
  readonly #store: string;
  readonly #clock: Clock;
  readonly #running = new Set<AbortController>();
  #closed = false;

  /** @param store the driver's name, which the sentences start with */
  constructor(store: string, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async run<T>(bounds: VerbBounds, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error(`${this.#store} is closed.`);
    bounds.signal.throwIfAborted();
    const controller = new AbortController();
    const give = () => controller.abort(bounds.signal.reason);
    const late = () => controller.abort(new NoAnswer(`${this.#store} gave no answer within ${bounds.withinMs} ms.`));
    const ended = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true });
    });
    // One signal may stand behind many verbs; each takes its listener away again, so many are no leak.
    setMaxListeners(0, bounds.signal);
    bounds.signal.addEventListener('abort', give, { once: true });
    const timer = this.#clock.after(bounds.withinMs, late);
    this.#running.add(controller);
    try {
      return await Promise.race([work(controller.signal), ended]);
    } finally {
      this.#running.delete(controller);
      timer.cancel();
      bounds.signal.removeEventListener('abort', give);
    }
  }

  /** Rejects what runs, and every verb that comes later. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#running) controller.abort(new Error(`${this.#store} is closed.`));
  }
}
