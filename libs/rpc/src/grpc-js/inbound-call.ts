import type * as grpc from '@grpc/grpc-js';
import {
  CallContext,
  Cancellation,
  Cancelled,
  DeadlineExceeded,
  IDENTITY_HEADER,
  type CallObserver,
  type Clock,
  type TraceContext,
} from '@holdfast/core';
import type { Inbound } from '../server/inbound.js';

/** What the four kinds of grpc-js's server calls have in common. */
export interface ServerCall {
  readonly metadata: grpc.Metadata;
  readonly cancelled: boolean;
  getDeadline(): grpc.Deadline;
  once(event: 'cancelled', listener: () => void): unknown;
}

/** What all calls of one method have in common. */
export interface ServedMethod {
  /** The full name of its service. */
  readonly domain: string;
  readonly observer: CallObserver | undefined;
}

/** A call that this process serves, from its arrival to its end. */
export class InboundCall implements Inbound {
  readonly context: CallContext;
  /** True once the answer is complete: the caller's leaving after it is no cancellation. */
  answered = false;
  readonly #call: ServerCall;
  readonly #deadline: number;
  readonly #clock: Clock;
  readonly #observer: CallObserver | undefined;
  readonly #startedAt: number;
  #ended = false;

  constructor(call: ServerCall, clock: Clock, observer: CallObserver | undefined) {
    this.#call = call;
    this.#clock = clock;
    this.#observer = observer;
    this.#startedAt = clock.now();
    this.#deadline = Number(call.getDeadline());
    const { metadata } = call;
    const trace = traceOf(metadata);
    this.context = new CallContext({
      deadline: this.#deadline === Infinity ? Infinity : this.#startedAt + (this.#deadline - Date.now()),
      signal: () => this.#makeSignal(),
      requestId: textOf(metadata, 'x-request-id'),
      trace: observer ? observer.begin(trace) : trace,
      identity: textOf(metadata, IDENTITY_HEADER),
      attempt: Number(textOf(metadata, 'grpc-previous-rpc-attempts') ?? 0),
    });
  }

  /** True where nobody waits for the answer any more. */
  get abandoned(): boolean {
    return this.#call.cancelled && !this.answered;
  }

  /** Its work is over; `code` is its status, unless nobody waits for it any more. Once over, it stays so. */
  end(code: number): void {
    const { abandoned } = this;
    if (!abandoned) this.answered = true;
    if (this.#ended) return;
    this.#ended = true;
    const status = abandoned ? this.abandonedBecause.code : code;
    this.#observer?.end(status, this.#clock.now() - this.#startedAt, this.context.trace);
  }

  /** Why the call ended before its answer. */
  get abandonedBecause(): Cancelled | DeadlineExceeded {
    return Date.now() >= this.#deadline
      ? new DeadlineExceeded('The deadline of the call passed.')
      : new Cancelled('The caller cancelled the call or went away.');
  }

  /** Calls `task` when the call ends before its answer; at once where it already has. */
  onAbandoned(task: () => void): void {
    if (this.abandoned) return task();
    // grpc-js tells the end of every call by this event, whatever ended it.
    this.#call.once('cancelled', () => {
      if (this.abandoned) task();
    });
  }

  #makeSignal(): Cancellation {
    const cancellation = new Cancellation();
    this.onAbandoned(() => cancellation.abort(this.abandonedBecause));
    return cancellation;
  }
}

function textOf(metadata: grpc.Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}

function traceOf(metadata: grpc.Metadata): TraceContext | undefined {
  const traceparent = textOf(metadata, 'traceparent');
  if (traceparent === undefined) return undefined;
  const tracestate = textOf(metadata, 'tracestate');
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}
