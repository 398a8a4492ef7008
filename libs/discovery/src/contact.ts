import { backoffDelay, Cell, sleep, type Clock, type Live, type Random } from '@holdfast/core';

export interface ContactState {
  /** unknown: nothing was tried yet */
  readonly status: 'unknown' | 'up' | 'down';
  /** Since when, on the wall clock, in milliseconds since the epoch. */
  readonly since: number;
  /** Why it is down, as one sentence. */
  readonly reason?: string;
}

/** Delays between two tries while the registry is down: never two in one second, and back within 5 s of its return. */
const RETRY = { minMs: 1_000, initialMs: 2_000, maxMs: 5_000 };
/** Delay after the first failure, where the call that failed began so long ago that even so no second has two tries. */
const FIRST_RETRY = { minMs: 100, maxMs: 500 };

/**
 * The process's one line to the registry. While the registry answers, calls pass. Once one fails, all callers share
 * one back-off: a single call goes out as the test, at most one a second and jittered, and its success lets the others
 * go. A connection that merely broke is made again within half a second. So a registry that comes back after an outage meets one call a second from each process, however much it watches.
 */
export class Contact {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #state: Cell<ContactState>;
  #failures = 0;
  #nextTry = 0;
  #testing = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#state = new Cell<ContactState>({ status: 'unknown', since: clock.wallTime() });
  }

  get state(): Live<ContactState> {
    return this.#state;
  }

  /**
   * Makes one call, at once or, while the registry is down, when it is this caller's turn.
   * @throws what `request` throws; the signal's reason when it aborts first
   */
  async call<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#failures > 0 && (this.#testing || this.#clock.now() < this.#nextTry)) {
      // One behind a running test looks again when the next try is due, or soon if that time has already come.
      await sleep(this.#clock, Math.max(this.#nextTry - this.#clock.now(), 50), signal);
    }
    signal.throwIfAborted();
    const startedAt = this.#clock.now();
    const isTest = this.#failures > 0;
    if (isTest) this.#testing = true;
    try {
      const result = await request();
      this.#failures = 0;
      if (this.#state.value.status !== 'up') this.#state.set({ status: 'up', since: this.#clock.wallTime() });
      return result;
    } catch (error) {
      // Of several calls that one outage ends, the first says it for all.
      if (!signal.aborted && (isTest || this.#failures === 0)) this.#fail(error, startedAt);
      throw error;
    } finally {
      if (isTest) this.#testing = false;
    }
  }

  #fail(error: unknown, startedAt: number): void {
    const lone = this.#failures === 0 && this.#clock.now() - startedAt >= RETRY.minMs;
    const delay = lone
      ? FIRST_RETRY.minMs + (FIRST_RETRY.maxMs - FIRST_RETRY.minMs) * this.#random()
      : backoffDelay(this.#failures, this.#random, RETRY);
    this.#failures++;
    this.#nextTry = this.#clock.now() + delay;
    const reason = error instanceof Error ? error.message : String(error);
    const { status, since } = this.#state.value;
    this.#state.set({ status: 'down', since: status === 'down' ? since : this.#clock.wallTime(), reason });
  }
}
