import type { Random } from './random.js';

export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. @default 100 */
  readonly initialMs?: number;
  /** Upper bound of every delay, in milliseconds. @default 10_000 */
  readonly maxMs?: number;
  /** No delay is shorter than this, in milliseconds: what makes a rate of attempts a promise. @default 0 */
  readonly minMs?: number;
}

/**
 * The delay before attempt number `attempt` (0 is the first retry): uniform between `minMs` and `initialMs · 2^attempt`,
 * capped at `maxMs`. Algorithm: "full jitter" (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffDelay(attempt: number, random: Random, options: BackoffOptions = {}): number {
  const { initialMs = 100, maxMs = 10_000, minMs = 0 } = options;
  const ceiling = Math.min(maxMs, initialMs * 2 ** Math.min(attempt, 30));
  return minMs + random() * Math.max(0, ceiling - minMs);
}
