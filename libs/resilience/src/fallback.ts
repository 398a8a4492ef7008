import { CallContext, type TraceContext } from '@holdfast/core';
import { isCallersMistake } from './blame.js';
import type { Outcome } from './outcome.js';
import type { Pipeline } from './pipeline.js';
import { isThenable } from './thenable.js';

/**
 * What answers in place of a failure: the name of a method of the same class, a function, or a value in an object. Method
 * and function get the call's arguments, and after them the error.
 */
export type Fallback = string | ((...args: never[]) => unknown) | { readonly value: unknown };

/** Someone who waits for a call. */
export interface Caller {
  readonly pipeline: Pipeline;
  /** When it began to wait, on the pipeline's clock, in milliseconds. */
  readonly startedAt: number;
  readonly context: CallContext | undefined;
  /** What its observer gave it. */
  readonly trace: TraceContext | undefined;
  readonly self: unknown;
  readonly args: readonly unknown[];
  /** Whether it has seen a part of the answer, so that another one comes too late. */
  readonly shown: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Ends a call that failed: with the fallback's answer, or else with the error. The fallback is outermost, so no deadline
 * bounds it; what it throws, the caller gets, but the call is still counted as what it failed with.
 */
export function endWithout(caller: Caller, error: unknown, outcome: Outcome): void {
  const { pipeline, trace } = caller;
  const { hooks, observer } = pipeline;
  noteFailure(caller, outcome, error);
  const { fallback, fallbackOn: covers = coversByDefault } = hooks;
  if (fallback === undefined || caller.shown) {
    pipeline.ended(outcome, trace);
    caller.reject(error);
    return;
  }
  const refused = (reason: unknown) => {
    pipeline.ended(outcome, trace);
    caller.reject(reason);
  };
  const answered = (value: unknown) => {
    observer?.decided('fell_back', trace, { instead_of: outcome });
    pipeline.ended('fallback', trace);
    caller.resolve(value);
  };
  // In the caller's context: this may be the timer's, or that of another call.
  CallContext.run(caller.context ?? new CallContext(), () => {
    try {
      if (!covers(error)) return refused(error);
      const answer = answerOf(fallback, caller, error);
      if (isThenable(answer)) answer.then(answered, refused);
      else answered(answer);
    } catch (thrown) {
      refused(thrown);
    }
  });
}

/** For the operators' figures, in which a fallback makes no failure good, and what was the caller's own mistake is none. */
export function noteFailure(
  { pipeline: { clock, window }, startedAt }: Caller,
  outcome: Outcome,
  error: unknown,
): void {
  if (outcome === 'cancelled') return;
  if (outcome === 'error' && isCallersMistake(error)) window.succeeded(clock.now() - startedAt);
  else if (outcome === 'error' || outcome === 'timeout') window.failed(clock.now() - startedAt);
  else window.refused();
}

/** Everything but the caller's own mistakes: there, another answer would be a wrong one. */
function coversByDefault(error: unknown): boolean {
  return !isCallersMistake(error);
}

function answerOf(fallback: Fallback, { self, args }: Caller, error: unknown): unknown {
  if (typeof fallback === 'object') return fallback.value;
  const fn =
    typeof fallback === 'string' ? (self as Record<string, (...args: unknown[]) => unknown>)[fallback]! : fallback;
  return Reflect.apply(fn, self, [...args, error]);
}
