import { Cancelled, Code } from '@holdfast/core';
import { Admission } from './admission.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import { codeOfError, countsAsFailure } from './blame.js';
import { NO_PASS, type Pass } from './gate.js';
import type { Bulkhead } from './bulkhead.js';
import { tooLate } from './deadline.js';
import { outcomeOf, type Outcome } from './outcome.js';
import type { Pipeline } from './pipeline.js';
import { exhausted, isRetryable, retryDelay } from './retry.js';

/** What is called. */
export type Work = (...args: never[]) => unknown;

/** The pass of an attempt where there is no breaker; no breaker gives this one. */
const ANY_PASS: Pass = -1;

const HEDGED_ATTEMPTS = 2;
/**
 * How much sooner others may see an attempt's deadline pass, in milliseconds: transports and servers count on the wall clock,
 * in whole milliseconds. What they say then is that the attempt timed out, and no word of the target's own.
 */
const CLOCKS_APART_MS = 5;

interface Failure {
  readonly error: unknown;
  readonly outcome: Outcome;
  /** Whether another attempt may help. */
  readonly retryable: boolean;
}

/** The inner half of a call's way: retry or hedge → breaker → attempt timeout. It ends with one answer or failure, once. */
export abstract class Run extends Admission implements AttemptOwner {
  readonly fn: Work;
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly scoped: boolean;
  readonly repeats: boolean;
  shown = false;
  /** How many attempts have begun. */
  #count = 0;
  #attempt: Attempt | undefined = undefined;
  /** The second attempt of a hedged run, beside the first. */
  #hedge: Attempt | undefined = undefined;
  /** How the latest attempt that failed did. */
  #failure: Failure | undefined = undefined;
  #tried: Set<string> | undefined = undefined;

  constructor(pipeline: Pipeline, fn: Work, self: unknown, args: readonly unknown[], now: number, observed: boolean) {
    super(pipeline, now, observed);
    const { attemptTimeout, hedge, retry } = pipeline.spec;
    this.fn = fn;
    this.self = self;
    this.args = args;
    this.repeats = (retry !== undefined || hedge !== undefined) && !this.context?.retriesOwned;
    const traced = this.trace !== this.context?.trace;
    this.scoped = this.repeats || this.deadline !== Infinity || attemptTimeout !== undefined || traced;
  }

  /** Exactly one of these two is called, once. */
  protected abstract onAnswer(value: unknown, now: number): void;
  protected abstract onFailure(error: unknown, outcome: Outcome): void;

  get tried(): Set<string> | undefined {
    if (!this.repeats) return this.context?.tried;
    return (this.#tried ??= this.context?.tried ?? new Set());
  }

  work(): unknown {
    return Reflect.apply(this.fn, this.self, this.args);
  }

  override due(now: number): void {
    if (this.phase !== 'attempt') return super.due(now);
    for (const attempt of [this.#attempt, this.#hedge]) {
      if (attempt && attempt.deadline <= now) this.#timeOut(attempt, now);
    }
    if (this.phase !== 'attempt') return;
    if (this.until <= now) this.#tryHedge(now);
    if (this.phase === 'attempt') this.#armAttempts();
  }

  // From attempts:

  succeeded(attempt: Attempt, value: unknown): void {
    const { breaker, clock } = this.pipeline;
    const now = clock.now();
    if (breaker) breaker.succeeded(attempt.pass, now - attempt.startedAt, now);
    if (this.#forget(attempt)) this.#giveUpAll(new Cancelled('Another attempt has answered.'));
    this.leave();
    this.onAnswer(value, now);
    // Last: whoever waits for the permit begins its work within this call.
    attempt.permit?.exit();
  }

  failed(attempt: Attempt, error: unknown): void {
    const { clock, spec } = this.pipeline;
    const now = clock.now();
    const inTime = attempt.deadline > now + CLOCKS_APART_MS || codeOfError(error) !== Code.DEADLINE_EXCEEDED;
    const retryable = !this.shown && (!inTime || isRetryable(error, spec.retry));
    this.#report(attempt, error, inTime, now);
    const sibling = this.#forget(attempt);
    if (sibling) attempt.permit?.exit();
    else if (attempt.permit) this.#takeBack(attempt.permit);
    this.#over({ error, outcome: outcomeOf(error), retryable }, now, true);
  }

  released(attempt: Attempt): void {
    // The timer wheel, which ended the attempt, knew nothing of the caller's asynchronous context; here it is again.
    if (this.phase === 'pause') this.keepScope();
    attempt.permit?.exit();
  }

  // The way:

  protected admit(now: number): void {
    const { breaker, budget, spec } = this.pipeline;
    const pass = breaker === undefined ? ANY_PASS : breaker.tryEnter(spec.attemptTimeout ?? spec.timeout, now);
    if (pass === NO_PASS) return this.refuse(breaker!.refusal, 'open');
    if (this.repeats && this.#count === 0) budget.deposit();
    this.phase = 'attempt';
    this.until = this.repeats && spec.hedge && this.#count === 0 ? now + spec.hedge.delay : Infinity;
    const attempt = this.#newAttempt(now, pass, this.holdsPermit ? this.bulkhead : undefined);
    this.holdsPermit = false;
    this.#attempt = attempt;
    attempt.start();
    if (this.#attempt === attempt) this.arm(attempt.deadline < this.until ? attempt.deadline : this.until);
  }

  protected fail(error: unknown, outcome: Outcome): void {
    if (this.#attempt) this.#giveUpAll(error);
    this.leave();
    this.onFailure(error, outcome);
  }

  protected refuse(error: unknown, outcome: Outcome): void {
    if (outcome !== 'timeout') this.pipeline.observer?.decided('refused', this.trace, { by: outcome });
    // What an attempt has met says more than that there is no room for another.
    if (this.#failure) this.fail(exhausted(this.#failure.error), this.#failure.outcome);
    else this.fail(error, outcome);
  }

  #newAttempt(now: number, pass: Pass, permit: Bulkhead | undefined): Attempt {
    const { attemptTimeout } = this.pipeline.spec;
    const own = attemptTimeout === undefined ? Infinity : now + attemptTimeout;
    return new Attempt(this, now, own < this.deadline ? own : this.deadline, this.#count++, pass, permit);
  }

  /** Begins the second attempt of a hedged run beside the first, where nothing speaks against it. */
  #tryHedge(now: number): void {
    this.until = Infinity;
    const { breaker, budget, bulkhead, spec } = this.pipeline;
    if (bulkhead && !bulkhead.tryEnter()) return;
    // While half-open, each call is a probe: there is no place for a second that may not be needed.
    if ((breaker && breaker.state !== 'closed') || !budget.withdraw()) {
      bulkhead?.exit();
      return;
    }
    const pass = breaker === undefined ? ANY_PASS : breaker.tryEnter(spec.attemptTimeout, now);
    this.pipeline.observer?.decided('hedged', this.trace);
    this.#hedge = this.#newAttempt(now, pass, bulkhead);
    this.#hedge.start();
  }

  #timeOut(attempt: Attempt, now: number): void {
    const error = tooLate(this.pipeline.name);
    this.pipeline.observer?.decided('attempt_timed_out', this.trace);
    this.#report(attempt, error, false, now);
    this.#forget(attempt);
    attempt.giveUp(error);
    this.#over({ error, outcome: 'timeout', retryable: !this.shown }, now, false);
  }

  /** Goes on after an attempt has failed. `scoped` where this runs in the caller's asynchronous context. */
  #over(failure: Failure, now: number, scoped: boolean): void {
    this.#failure = failure;
    if (this.#attempt) return this.#armAttempts();
    if (!this.repeats || !failure.retryable || now >= this.deadline) return this.fail(failure.error, failure.outcome);
    const { budget, observer, random, spec } = this.pipeline;
    const { retry } = spec;
    const again = now + (retry ? retryDelay(failure.error, this.#count, retry, random) : 0);
    const allowed = this.#count < (retry ? retry.attempts : HEDGED_ATTEMPTS) && again < this.deadline;
    if (allowed && budget.withdraw()) {
      observer?.decided('retried', this.trace, { attempt: this.#count, after_ms: Math.round(again - now) });
      this.wait('pause', again, scoped);
    } else {
      if (allowed) observer?.decided('budget_spent', this.trace);
      this.fail(exhausted(failure.error), failure.outcome);
    }
  }

  /** Tells the breaker how an attempt failed. */
  #report(attempt: Attempt, error: unknown, inTime: boolean, now: number): void {
    const { breaker } = this.pipeline;
    // A caller who gives less time than the policies would says nothing about the target by it.
    const callersHaste = !inTime && this.cutShort && attempt.deadline === this.deadline;
    if (callersHaste || !countsAsFailure(error)) breaker?.ignored(attempt.pass);
    else breaker?.failed(attempt.pass, now - attempt.startedAt, error, now);
  }

  /** Takes `attempt` off the list and gives back the one beside it. */
  #forget(attempt: Attempt): Attempt | undefined {
    if (attempt !== this.#hedge) this.#attempt = this.#hedge;
    this.#hedge = undefined;
    return this.#attempt;
  }

  #giveUpAll(reason: unknown): void {
    const { breaker } = this.pipeline;
    for (const attempt of [this.#attempt, this.#hedge]) {
      if (!attempt) continue;
      breaker?.ignored(attempt.pass);
      attempt.giveUp(reason);
    }
    this.#attempt = this.#hedge = undefined;
  }

  #takeBack(permit: Bulkhead): void {
    this.bulkhead = permit;
    this.holdsPermit = true;
  }

  #armAttempts(): void {
    const first = this.#attempt!.deadline;
    this.arm(Math.min(this.until, first, this.#hedge?.deadline ?? Infinity));
  }
}
