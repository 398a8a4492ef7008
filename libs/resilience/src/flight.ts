import {
  CallContext,
  Cancelled,
  DeadlineExceeded,
  listenTo,
  WheelEntry,
  type CancelListener,
  type TraceContext,
} from '@holdfast/core';
import { tooLate } from './deadline.js';
import { endWithout, noteFailure, type Caller } from './fallback.js';
import { cancellation } from './departure.js';
import type { Outcome } from './outcome.js';
import type { Pipeline } from './pipeline.js';
import { Run, type Work } from './run.js';

/**
 * A run that many callers share, since they ask for the same. It belongs to none of them: it has the policies' deadline
 * alone, and is cancelled when the last of them has gone.
 */
export class Flight extends Run {
  readonly #passengers = new Set<Passenger>();
  readonly #key: string;

  /**
   * Takes off with its first passenger, in a context of its own: of the passenger's it keeps what names the request, not
   * its deadline and signal.
   */
  static start(key: string, fn: Work, first: Passenger, now: number): void {
    const { context, pipeline, self, args } = first;
    const { requestId, hashKey, retriesOwned = false } = context ?? {};
    const { trace } = first;
    CallContext.run(new CallContext({ requestId, trace, hashKey, retriesOwned }), () => {
      const flight = new Flight(pipeline, key, fn, self, args, now);
      pipeline.flights.set(key, flight);
      flight.take(first);
      flight.begin(now);
    });
  }

  private constructor(pipeline: Pipeline, key: string, fn: Work, self: unknown, args: readonly unknown[], now: number) {
    super(pipeline, fn, self, args, now, false);
    this.#key = key;
  }

  take(passenger: Passenger): void {
    this.#passengers.add(passenger);
    passenger.flight = this;
  }

  drop(passenger: Passenger): void {
    this.#passengers.delete(passenger);
    if (this.#passengers.size === 0) this.cancel(new Cancelled('Nobody waits for it any more.'));
  }

  protected onAnswer(value: unknown, now: number): void {
    this.#land();
    this.pipeline.cache?.keep(this.#key, value, now);
    for (const passenger of this.#passengers) passenger.answered(value, now);
  }

  protected onFailure(error: unknown, outcome: Outcome): void {
    this.#land();
    const stale = this.pipeline.cache?.stale(this.#key, this.pipeline.clock.now());
    for (const passenger of this.#passengers) {
      if (stale) passenger.consoled(stale.value, error, outcome);
      else passenger.failed(error, outcome);
    }
  }

  /** Whoever comes from now on takes another one, also where the work of this one goes on unheard. */
  #land(): void {
    this.pipeline.flights.delete(this.#key);
  }
}

/** One caller of a shared run. It has a deadline and a signal of its own, and leaves by them without touching the others. */
export class Passenger extends WheelEntry implements Caller {
  readonly context = CallContext.current();
  readonly trace: TraceContext | undefined;
  readonly shown = false;
  flight: Flight | undefined = undefined;
  #departure: CancelListener | undefined = undefined;

  constructor(
    readonly pipeline: Pipeline,
    readonly startedAt: number,
    readonly self: unknown,
    readonly args: readonly unknown[],
    readonly resolve: (value: unknown) => void,
    readonly reject: (error: unknown) => void,
  ) {
    super();
    const trace = this.context?.trace;
    this.trace = pipeline.observer ? pipeline.observer.begin(trace) : trace;
  }

  /** Makes ready to wait; false where its time is over already. */
  board(now: number): boolean {
    const { context, pipeline } = this;
    if (!context) return true;
    const signal = context.cancellation;
    if (signal?.aborted) {
      this.#giveUp(signal.reason);
      return false;
    }
    if (signal) {
      this.#departure = { handleEvent: () => this.#giveUp(signal.reason) };
      listenTo(signal, this.#departure);
    }
    if (context.deadline <= now) {
      this.due();
      return false;
    }
    if (context.deadline < Infinity) pipeline.wheel.add(this, context.deadline);
    return true;
  }

  due(): void {
    this.#giveUp(tooLate(this.pipeline.name));
  }

  answered(value: unknown, now: number): void {
    this.#unboard();
    this.pipeline.window.succeeded(now - this.startedAt);
    this.pipeline.ended('ok', this.trace);
    this.resolve(value);
  }

  /** Gets an old answer in place of a failure. */
  consoled(value: unknown, error: unknown, outcome: Outcome): void {
    this.#unboard();
    this.pipeline.observer?.decided('stale', this.trace);
    noteFailure(this, outcome, error);
    this.pipeline.ended('fallback', this.trace);
    this.resolve(value);
  }

  failed(error: unknown, outcome: Outcome): void {
    this.#unboard();
    endWithout(this, error, outcome);
  }

  #giveUp(reason: unknown): void {
    const error = cancellation(reason);
    this.flight?.drop(this);
    this.failed(error, error instanceof DeadlineExceeded ? 'timeout' : 'cancelled');
  }

  #unboard(): void {
    this.pipeline.wheel.remove(this);
    if (this.#departure) this.context!.cancellation!.removeEventListener('abort', this.#departure);
  }
}
