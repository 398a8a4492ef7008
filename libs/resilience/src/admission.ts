import { AsyncResource } from 'node:async_hooks';
import {
  BulkheadFull,
  CallContext,
  DeadlineExceeded,
  listenTo,
  RateLimited,
  WheelEntry,
  type CancelListener,
  type TraceContext,
} from '@holdfast/core';
import type { Bulkhead, Waiting } from './bulkhead.js';
import { tooLate } from './deadline.js';
import { cancellation } from './departure.js';
import type { Outcome } from './outcome.js';
import type { Pipeline } from './pipeline.js';

/**
 * new · turn: its turn under the rate limit is to come · queue: for a permit · attempt: work is under way · pause: before
 * another attempt · ended
 */
type Phase = 'new' | 'turn' | 'queue' | 'attempt' | 'pause' | 'ended';

/**
 * The outer half of a call's way: total deadline → rate limit → bulkhead. A step whose policy lets it pass is taken at
 * once, without a promise. Where it must wait, it is itself the entry in queue and timer wheel, waits for one moment at a
 * time, and goes on from there.
 */
export abstract class Admission extends WheelEntry implements Waiting {
  /** The caller's. */
  readonly context = CallContext.current();
  readonly pipeline: Pipeline;
  /** What its attempts carry. */
  readonly trace: TraceContext | undefined;
  readonly startedAt: number;
  protected readonly deadline: number;
  /** True where the deadline is the caller's, and earlier than the policies' own. */
  protected readonly cutShort: boolean;
  protected phase: Phase = 'new';
  protected bulkhead: Bulkhead | undefined = undefined;
  /** Whether there is a permit that no attempt has. */
  protected holdsPermit = false;
  /** The moment its turn comes, its wait or pause is over, or a hedge is due. */
  protected until = Infinity;
  /** The caller's asynchronous context, where the way goes on from a timer or from another call. */
  #scope: AsyncResource | undefined = undefined;
  #departure: CancelListener | undefined = undefined;

  /** @param observed whether it is a call of its own to whoever watches, and not a part of others */
  constructor(pipeline: Pipeline, now: number, observed: boolean) {
    super();
    const { timeout } = pipeline.spec;
    const callers = this.context === undefined ? Infinity : this.context.deadline;
    const own = timeout === undefined ? Infinity : now + timeout;
    const trace = this.context?.trace;
    this.pipeline = pipeline;
    this.trace = observed && pipeline.observer ? pipeline.observer.begin(trace) : trace;
    this.startedAt = now;
    this.deadline = own < callers ? own : callers;
    this.cutShort = callers < own && own !== Infinity;
  }

  /** Everything is allowed and a permit taken, where one is needed: the work may be tried. */
  protected abstract admit(now: number): void;
  /** Ends it without an answer. */
  protected abstract fail(error: unknown, outcome: Outcome): void;
  /** Ends it since a policy does not let it go on. */
  protected abstract refuse(error: unknown, outcome: Outcome): void;

  begin(now: number): void {
    const { context, pipeline } = this;
    if (context?.cancellation?.aborted) return this.cancel(context.cancellation.reason);
    if (this.deadline <= now) return this.fail(tooLate(pipeline.name), 'timeout');
    const { bucket } = pipeline;
    if (bucket === undefined) return this.enter(now);
    const turn = bucket.take(now, this.deadline);
    if (turn <= now) this.enter(now);
    else if (turn < Infinity) this.wait('turn', turn, true);
    else this.refuse(rateLimited(pipeline, bucket.readyInMs(now)), 'limited');
  }

  /** Ends it, since nobody waits for it any more; work that has begun is told to stop. */
  cancel(reason: unknown): void {
    if (this.phase === 'ended') return;
    const error = cancellation(reason);
    this.fail(error, error instanceof DeadlineExceeded ? 'timeout' : 'cancelled');
  }

  /** From the timer wheel: the moment it waits for, or its deadline, has come. */
  due(now: number): void {
    if (this.deadline <= now) this.refuse(tooLate(this.pipeline.name), 'timeout');
    else if (this.phase === 'queue') this.refuse(bulkheadFull(this.pipeline), 'full');
    else this.#goOn(now);
  }

  /** From the bulkhead: the permit that it queued for is there. */
  admitted(): void {
    this.holdsPermit = true;
    const now = this.pipeline.clock.now();
    const signal = this.context?.cancellation;
    // Where another call of the same caller has freed the permit, this one may not have heard yet.
    if (signal?.aborted) this.cancel(signal.reason);
    else if (this.deadline <= now) this.refuse(tooLate(this.pipeline.name), 'timeout');
    else this.#goOn(now);
  }

  /** Makes it end when the caller goes away. */
  listen(): void {
    const signal = this.context?.cancellation;
    if (!signal || this.#departure || this.phase === 'ended') return;
    this.#departure = { handleEvent: () => this.cancel(signal.reason) };
    if (signal.aborted) this.#departure.handleEvent();
    else listenTo(signal, this.#departure);
  }

  /** Goes for a permit, unless it has one. */
  protected enter(now: number): void {
    const { bulkhead } = this.pipeline;
    if (bulkhead && !this.holdsPermit) {
      this.bulkhead = bulkhead;
      if (!bulkhead.tryEnter()) {
        if (bulkhead.wait(this)) this.wait('queue', now + bulkhead.maxWait, true);
        else this.refuse(bulkheadFull(this.pipeline), 'full');
        return;
      }
      this.holdsPermit = true;
    }
    this.admit(now);
  }

  /** Waits until then, or for something else that comes first. `scoped` where this runs in the caller's asynchronous context. */
  protected wait(phase: 'turn' | 'queue' | 'pause', until: number, scoped: boolean): void {
    this.phase = phase;
    this.until = until;
    if (scoped) this.keepScope();
    this.arm(until);
    this.listen();
  }

  protected keepScope(): void {
    this.#scope ??= new AsyncResource('Admission');
  }

  /** Has itself told at `at`, or at its deadline where that is earlier. */
  protected arm(at: number): void {
    const moment = at < this.deadline ? at : this.deadline;
    if (moment < Infinity) this.pipeline.wheel.add(this, moment);
  }

  /** Lets go of everything that it waits for or has. */
  protected leave(): void {
    const { bucket, clock, wheel } = this.pipeline;
    const { phase } = this;
    this.phase = 'ended';
    wheel.remove(this);
    if (this.#departure) this.context!.cancellation!.removeEventListener('abort', this.#departure);
    if (phase === 'turn') bucket?.giveBack(this.until, clock.now());
    if (phase === 'queue') this.bulkhead!.leave(this);
    if (this.holdsPermit) this.bulkhead!.exit();
  }

  #goOn(now: number): void {
    this.pipeline.wheel.remove(this);
    this.phase = 'new';
    if (this.#scope) this.#scope.runInAsyncScope(() => this.enter(now));
    else this.enter(now);
  }
}

function rateLimited({ name }: Pipeline, retryAfterMs: number): RateLimited {
  return new RateLimited(`${name} is called more often than it may be.`, { retryAfterMs });
}

function bulkheadFull({ name }: Pipeline): BulkheadFull {
  return new BulkheadFull(`As many calls of ${name} as may be are running and waiting already.`);
}
