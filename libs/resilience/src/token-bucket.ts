import type { Clock, Live } from '@holdfast/core';
import { z } from 'zod';
import { duration } from './duration.js';

export const rateLimitSpec = z.strictObject({
  rate: z
    .number()
    .positive()
    .max(1_000_000)
    .describe('Calls a second that may start in the long run; above 0, to 1,000,000.'),
  burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Calls that may start at once after a quiet time; 1 to 1,000,000. By default a tenth of a second’s worth.',
    ),
  maxWait: duration(0)
    .default(0)
    .describe(
      'How long a call may wait for its turn; 0 to 60m. With 0 it is refused at once; a wait never outlasts the deadline.',
    ),
});

export type RateLimitSpec = z.output<typeof rateLimitSpec>;

/** What a call is told: the moment from which it may start, and what would take that back. */
const NEVER = Infinity;

/**
 * At most `rate` calls a second, and `burst` at once. A call that must wait reserves its turn, so turns are in order and
 * the bucket goes below zero meanwhile. It knows the monotonic clock alone: setting the wall clock changes nothing.
 * Algorithm: `golang.org/x/time/rate` (`reserveN`, `CancelAt`, `SetLimitAt`), one token a call.
 */
export class TokenBucket {
  readonly #spec: Live<RateLimitSpec>;
  readonly #clock: Clock;
  #perMs: number;
  #burst: number;
  #tokens: number;
  #filledAt: number;
  /** The moment of the latest turn that was given. */
  #lastTurn: number;

  constructor(spec: Live<RateLimitSpec>, clock: Clock) {
    this.#spec = spec;
    this.#clock = clock;
    this.#filledAt = this.#lastTurn = clock.now();
    this.#perMs = spec.value.rate / 1_000;
    this.#burst = burstOf(spec.value);
    this.#tokens = this.#burst;
    spec.subscribe((changed) => {
      // What has come in until now came in at the former rate.
      this.#fill(clock.now());
      this.#perMs = changed.rate / 1_000;
      this.#burst = burstOf(changed);
      this.#tokens = Math.min(this.#tokens, this.#burst);
    });
  }

  /**
   * Takes a token. Gives back the moment from which the call may start: `now` where there is one to be had, later where it
   * must wait, Infinity, with nothing taken, where that would be past `latest` or take longer than `maxWait`.
   */
  take(now: number, latest: number): number {
    this.#fill(now);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#lastTurn = now;
      return now;
    }
    const turn = now + (1 - this.#tokens) / this.#perMs;
    if (turn > latest || turn > now + this.#spec.value.maxWait) return NEVER;
    this.#tokens -= 1;
    this.#lastTurn = turn;
    return turn;
  }

  /** Gives back a turn that is still to come: no more than what later turns, which stay where they are, do not rely on. */
  giveBack(turn: number, now: number): void {
    if (turn <= now) return;
    this.#fill(now);
    const unused = 1 - (this.#lastTurn - turn) * this.#perMs;
    if (unused <= 0) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + unused);
    if (turn === this.#lastTurn) this.#lastTurn = Math.max(now, turn - 1 / this.#perMs);
  }

  /** Milliseconds until a call could start, for the error of one that was refused. */
  readyInMs(now: number): number {
    this.#fill(now);
    return Math.max(0, (1 - this.#tokens) / this.#perMs);
  }

  /** Tokens there are now; negative while calls wait for theirs. */
  get tokens(): number {
    this.#fill(this.#clock.now());
    return this.#tokens;
  }

  #fill(now: number): void {
    const elapsed = now - this.#filledAt;
    if (elapsed <= 0) return;
    this.#filledAt = now;
    const tokens = this.#tokens + elapsed * this.#perMs;
    this.#tokens = tokens < this.#burst ? tokens : this.#burst;
  }
}

function burstOf({ rate, burst }: RateLimitSpec): number {
  return burst ?? Math.max(1, Math.round(rate / 10));
}
