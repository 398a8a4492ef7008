import type { TraceContext, TraceFacts } from '@holdfast/core';
import type { Outcome } from './outcome.js';

/**
 * What policies decide about a call, or about all calls of a name. `retried`, `hedged`: another attempt was made.
 * `attempt_timed_out`: one was given up. `budget_spent`: another would have helped, and the retry budget did not allow it.
 * `refused`: by breaker, bulkhead or rate limit. `fell_back`: the fallback answered. `cached`, `stale`: an earlier answer
 * did. `opened`, `probing`, `closed`: the breaker, for all.
 */
export const decisions = [
  'retried',
  'hedged',
  'attempt_timed_out',
  'budget_spent',
  'refused',
  'fell_back',
  'cached',
  'stale',
  'opened',
  'probing',
  'closed',
] as const;
export type Decision = (typeof decisions)[number];

/** Watches the calls of one name. It must not throw, and it changes nothing but the trace that a call carries. */
export interface PolicyObserver {
  /** A call begins. Gives back what its attempts carry: a span of its own where the process records traces, else `trace`. */
  begin(trace: TraceContext | undefined): TraceContext | undefined;
  /** A call ended. `trace` is what {@link begin} gave. */
  end(outcome: Outcome, trace: TraceContext | undefined): void;
  /** A policy has decided something: rare beside the calls. `trace` is that of the call that it is about, where there is one. */
  decided(decision: Decision, trace: TraceContext | undefined, facts?: TraceFacts): void;
}

/** Gives the observer of a name; asked once for each. */
export type ObservePolicies = (name: string) => PolicyObserver;
