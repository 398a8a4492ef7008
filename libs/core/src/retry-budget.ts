import type { Clock } from './clock.js';

const SHARE_OF_REQUESTS = 0.2;
const FLOOR_PER_SECOND = 10;
/** How many seconds' worth of either may be saved up: enough for all calls in flight on an instance that dies. */
const SAVED_SECONDS = 10;
const MOST_FROM_REQUESTS = 10_000;

/**
 * How many attempts beyond the first a target may get: 20 % of its requests, and 10 a second for those with few, each
 * saved up for up to 10 s. It keeps retries from multiplying the load on a target that fails altogether.
 * Algorithm: Finagle's `RetryBudget` (twitter.github.io/finagle/guide/Clients.html#retries), with a smooth floor.
 */
export class RetryBudget {
  readonly #clock: Clock;
  #fromRequests = 0;
  #fromFloor = FLOOR_PER_SECOND * SAVED_SECONDS;
  #refilledAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#refilledAt = clock.now();
  }

  /** Counts a first attempt. */
  deposit(): void {
    if (this.#fromRequests < MOST_FROM_REQUESTS) this.#fromRequests += SHARE_OF_REQUESTS;
  }

  /** How many attempts it would grant now, with fractions. */
  get balance(): number {
    this.#refill();
    return this.#fromRequests + this.#fromFloor;
  }

  /** Takes leave for one more attempt; false when there is none. */
  withdraw(): boolean {
    this.#refill();
    if (this.#fromRequests >= 1) this.#fromRequests -= 1;
    else if (this.#fromFloor >= 1) this.#fromFloor -= 1;
    else return false;
    return true;
  }

  #refill(): void {
    const now = this.#clock.now();
    const elapsed = (now - this.#refilledAt) / 1_000;
    this.#refilledAt = now;
    this.#fromFloor = Math.min(FLOOR_PER_SECOND * SAVED_SECONDS, this.#fromFloor + elapsed * FLOOR_PER_SECOND);
    // What requests brought in fades over the same span, so that a quiet hour saves up nothing for a storm.
    this.#fromRequests *= Math.exp(-elapsed / SAVED_SECONDS);
  }
}
