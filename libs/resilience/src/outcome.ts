import { Code } from '@holdfast/core';
import { codeOfError } from './blame.js';

/**
 * How a call ended, exactly one for each. `ok` and `error`: as the work did. `fallback`: with another answer in place of a
 * failure. `timeout`: not in time. `open`, `full`, `limited`: refused by breaker, bulkhead, rate limit. `cancelled`: nobody
 * waited any more.
 */
export const outcomes = ['ok', 'error', 'fallback', 'timeout', 'open', 'full', 'limited', 'cancelled'] as const;
export type Outcome = (typeof outcomes)[number];

/** How many calls came in and how those that ended did: what is between the sums is in flight. */
export class CallCounters {
  started = 0;
  ok = 0;
  error = 0;
  fallback = 0;
  timeout = 0;
  open = 0;
  full = 0;
  limited = 0;
  cancelled = 0;
}

/** The outcome that an error of the work itself stands for. */
export function outcomeOf(error: unknown): Outcome {
  const code = codeOfError(error);
  return code === Code.DEADLINE_EXCEEDED ? 'timeout' : code === Code.CANCELLED ? 'cancelled' : 'error';
}
