import type { Clock } from '../clock.js';

/**
 * Wakes reads that wait for a change. Who looks for one notes {@link rings} first, and then waits for the next ring after
 * those: a change that falls between looking and waiting is not missed.
 */
export class Bell {
  readonly #waiting = new Set<() => void>();
  #rings = 0;

  /** How often it has rung so far. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings++;
    for (const wake of this.#waiting) wake();
  }

  /**
   * Waits until it has rung more than `heard` times, but no longer than `ms` milliseconds.
   * @throws the signal's reason when it aborts first
   */
  wait(heard: number, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#rings > heard) return resolve();
      const end = (settle: () => void) => {
        this.#waiting.delete(wake);
        timer.cancel();
        signal.removeEventListener('abort', abort);
        settle();
      };
      const wake = () => end(resolve);
      const abort = () => end(() => reject(signal.reason));
      const timer = clock.after(ms, wake);
      this.#waiting.add(wake);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
