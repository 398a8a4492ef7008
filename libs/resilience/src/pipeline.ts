import {
  CallContext,
  Cell,
  RetryBudget,
  type Clock,
  type Journal,
  type Live,
  type Random,
  type TimerWheel,
  type TraceContext,
} from '@holdfast/core';
import { AnswerCache, type CacheSpec } from './cache.js';
import { Breaker } from './breaker.js';
import type { BreakerSpec } from './breaker-spec.js';
import { Bulkhead, type BulkheadSpec } from './bulkhead.js';
import { Call } from './call.js';
import { CallWindow, type CallSummary } from './call-window.js';
import { Flight, Passenger } from './flight.js';
import { ForcedOpen, type BreakerState, type Gate } from './gate.js';
import { CallCounters, outcomeOf, type Outcome } from './outcome.js';
import type { PolicyObserver } from './policy-observer.js';
import type { Work } from './run.js';
import type { Hooks, ResilienceSpec } from './spec.js';
import { TokenBucket, type RateLimitSpec } from './token-bucket.js';

export interface PipelineDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
  /** The retry budget of what the work calls, which names can share. */
  readonly budget: RetryBudget;
  /** Watches the calls. @default nobody does */
  readonly observer?: PolicyObserver | undefined;
  /** Where changes of the breaker's state are noted. @default nowhere */
  readonly journal?: Journal | undefined;
}

/** What each change of a breaker's state is called: as a decision, and as an event with its words. */
const turns = {
  closed: ['closed', 'closed', 'closed'],
  open: ['opened', 'opened', 'opened'],
  halfOpen: ['probing', 'halfOpen', 'lets a probe through'],
} as const;

/** What operators see of a name. What has no policy is not there. */
export interface PipelineState {
  readonly breaker?: BreakerState;
  /** What an operator has said in the breaker's place. */
  readonly forced?: 'open' | 'closed';
  readonly bulkhead?: { readonly inUse: number; readonly queued: number; readonly limit: number };
  /** Tokens of the rate limit; below zero while calls wait for theirs. */
  readonly tokens?: number;
  /** Attempts beyond the first that may be made now. */
  readonly retryBudget?: number;
  readonly cached?: number;
  readonly calls: Readonly<CallCounters>;
}

/** What settles the promise that was made last: one function for all, since a closure a call would cost as much as the promise. */
let resolvePromise: (value: unknown) => void;
let rejectPromise: (error: unknown) => void;
function takeSettlers(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  resolvePromise = resolve;
  rejectPromise = reject;
}

/** A policy with state, kept from the first time that its part of the spec is there: what it has counted outlives changes. */
class Kept<S extends object, P> {
  #spec: Cell<S> | undefined;
  policy: P | undefined;

  constructor(private readonly make: (spec: Live<S>) => P) {}

  /** The policy under `spec`, or none without. */
  under(spec: S | undefined): P | undefined {
    if (spec === undefined) return undefined;
    if (this.#spec) this.#spec.set(spec);
    else this.policy = this.make((this.#spec = new Cell(spec)));
    return this.policy;
  }
}

/**
 * The policies of one name, in their fixed order: fallback → cache and coalesce → total deadline → rate limit → bulkhead →
 * retry or hedge → breaker → attempt timeout. All calls of the name share them; what is one call's alone is in its
 * {@link Call}.
 */
export class Pipeline {
  readonly name: string;
  readonly hooks: Hooks;
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
  readonly budget: RetryBudget;
  readonly observer: PolicyObserver | undefined;
  readonly counters = new CallCounters();
  readonly window = new CallWindow();
  /** Shared runs that are under way, by key. */
  readonly flights = new Map<string, Flight>();
  spec!: ResilienceSpec;
  bucket: TokenBucket | undefined;
  bulkhead: Bulkhead | undefined;
  /** None lets every call through. */
  breaker: Gate | undefined;
  cache: AnswerCache | undefined;
  /** Whether callers that ask for the same share a run. */
  shares = false;
  readonly #bucket: Kept<RateLimitSpec, TokenBucket>;
  readonly #bulkhead: Kept<BulkheadSpec, Bulkhead>;
  readonly #breaker: Kept<BreakerSpec, Breaker>;
  readonly #cache: Kept<CacheSpec, AnswerCache>;
  readonly #unsubscribe: () => void;
  readonly #journal: Journal | undefined;
  #forced: 'open' | 'closed' | undefined;

  constructor(name: string, spec: Live<ResilienceSpec>, hooks: Hooks, deps: PipelineDeps) {
    const { clock, random, wheel, budget, observer, journal } = deps;
    this.name = name;
    this.hooks = hooks;
    this.clock = clock;
    this.random = random;
    this.wheel = wheel;
    this.budget = budget;
    this.observer = observer;
    this.#bucket = new Kept((part) => new TokenBucket(part, clock));
    this.#bulkhead = new Kept((part) => new Bulkhead(part));
    this.#journal = journal;
    const turned = (state: BreakerState, why: string | undefined) => this.#turned(state, why);
    this.#breaker = new Kept((part) => new Breaker(name, part, { clock, random, turned }));
    this.#cache = new Kept((part) => new AnswerCache(part));
    this.#adopt(spec.value);
    this.#unsubscribe = spec.subscribe((changed) => this.#adopt(changed));
  }

  /** Does `fn` under the policies. */
  call(fn: Work, self: unknown, args: readonly unknown[]): Promise<unknown> {
    this.counters.started++;
    const now = this.clock.now();
    this.window.advance(now);
    const promise = new Promise(takeSettlers);
    if (this.shares) this.#share(fn, new Passenger(this, now, self, args, resolvePromise, rejectPromise), now);
    else new Call(this, fn, self, args, now, resolvePromise, rejectPromise).begin(now);
    return promise;
  }

  /** Counts a call that ended. `trace` is what its observer gave it. */
  ended(outcome: Outcome, trace: TraceContext | undefined): void {
    this.counters[outcome]++;
    this.observer?.end(outcome, trace);
  }

  /** Takes back the count of a call that ended well, where it turned out to be none. */
  uncount(): void {
    this.counters.started--;
    this.counters.ok--;
    // It is the first call of the name, so there is nothing else to lose.
    this.window.clear();
  }

  /**
   * Has no call go out (`open`) or no breaker ask whether it may (`closed`), until that is taken back (undefined). Meanwhile the
   * breaker learns of no call; then it goes on from where it was.
   */
  force(state: 'open' | 'closed' | undefined): void {
    this.#forced = state;
    this.#adopt(this.spec);
  }

  /** How its calls went in the last minute. */
  summary(): CallSummary {
    return this.window.summary(this.clock.now());
  }

  state(): PipelineState {
    const { breaker, bucket, bulkhead, cache, spec } = this;
    return {
      ...(breaker && { breaker: breaker.state }),
      ...(this.#forced && { forced: this.#forced }),
      ...(bulkhead && {
        bulkhead: { inUse: bulkhead.inUse, queued: bulkhead.queued, limit: spec.bulkhead!.limit },
      }),
      ...(bucket && { tokens: bucket.tokens }),
      ...((spec.retry ?? spec.hedge) && { retryBudget: this.budget.balance }),
      ...(cache && { cached: cache.size }),
      calls: { ...this.counters },
    };
  }

  close(): void {
    this.#unsubscribe();
    this.#breaker.policy?.close();
  }

  #share(fn: Work, passenger: Passenger, now: number): void {
    let key: string;
    try {
      const { args } = passenger;
      key = this.hooks.key ? Reflect.apply(this.hooks.key, undefined, args) : JSON.stringify(args);
    } catch (error) {
      passenger.failed(error, outcomeOf(error));
      return;
    }
    const kept = this.cache?.fresh(key, now);
    if (kept) {
      this.observer?.decided('cached', passenger.trace);
      passenger.answered(kept.value, now);
    } else if (passenger.board(now)) {
      const flight = this.flights.get(key);
      if (flight) flight.take(passenger);
      else Flight.start(key, fn, passenger, now);
    }
  }

  /** The breaker has changed, most often by what the call has met that runs now. */
  #turned(state: BreakerState, why: string | undefined): void {
    const [decision, kind, what] = turns[state];
    this.observer?.decided(decision, CallContext.current()?.trace);
    this.#journal?.note(kind, this.name, what, why);
  }

  #adopt(spec: ResilienceSpec): void {
    this.spec = spec;
    this.bucket = this.#bucket.under(spec.rateLimit);
    this.bulkhead = this.#bulkhead.under(spec.bulkhead);
    const breaker = this.#breaker.under(spec.breaker);
    this.breaker = this.#forced ? (this.#forced === 'open' ? new ForcedOpen(this.name) : undefined) : breaker;
    this.cache = this.#cache.under(spec.cache);
    this.shares = spec.coalesce || spec.cache !== undefined;
  }
}
