import {
  abortSignalOf,
  CallContext,
  Code,
  codeFacts,
  DeadlineExceeded,
  IDENTITY_HEADER,
  ServiceError,
  type CancelSignal,
  type Clock,
  type TraceContext,
} from '@holdfast/core';
import type { PickCall } from './balancer/pick-call.js';
import type { Outcome } from './balancer/outcome.js';
import type { RpcClientObserver } from './rpc-observer.js';
import { LinkFailure, type Metadata, type OutgoingCall } from './transport.js';

/** What the caller of one method may say. */
export interface CallOptions {
  /** Gives up after this long, in milliseconds; the context's deadline holds in any case. @default the client's for unary calls, none for streams */
  readonly timeoutMs?: number;
  /** Cancels the call, as the context's does in any case. @default none */
  readonly signal?: AbortSignal;
  /** Headers to send along. */
  readonly metadata?: Metadata;
  readonly onHeader?: OutgoingCall['onHeader'];
  readonly onTrailer?: OutgoingCall['onTrailer'];
}

/** What an attempt may take and when it began, for the balancer. */
export interface Attempt extends PickCall {
  readonly startedAt: number;
}

/** One logical call and its attempts so far. */
export class Attempts {
  readonly deadline: number;
  readonly signal: CancelSignal | undefined;
  readonly retriesOwned: boolean;
  readonly idempotent: boolean;
  readonly startedAt: number;
  count = 0;
  #tried: Set<string> | undefined;
  /** Where the first attempt went, as long as that is all there is to say. */
  #first: string | undefined;
  readonly #options: CallOptions;
  readonly #context: CallContext | undefined;
  readonly #clock: Clock;
  readonly #bounded: boolean;
  readonly #observer: RpcClientObserver | undefined;

  /** @param bounded whether silence until the deadline is the instance's fault: not for streams */
  constructor(
    options: CallOptions,
    clock: Clock,
    idempotent: boolean,
    bounded: boolean,
    observer: RpcClientObserver | undefined,
  ) {
    const context = CallContext.current();
    this.#options = options;
    this.#context = context;
    this.#clock = clock;
    this.#bounded = bounded;
    this.#observer = observer;
    this.idempotent = idempotent;
    this.startedAt = clock.now();
    const own = options.timeoutMs === undefined ? Infinity : this.startedAt + options.timeoutMs;
    this.deadline = Math.min(own, context?.deadline ?? Infinity);
    this.signal = joined(options.signal, context?.cancellation);
    this.retriesOwned = context?.retriesOwned ?? false;
    this.#tried = context?.tried;
  }

  /** What the next attempt is picked with. */
  next(): Attempt {
    const startedAt = this.#clock.now();
    if (this.#first !== undefined) this.#tried ??= new Set([this.#first]);
    return {
      startedAt,
      tried: this.#tried,
      hashKey: this.#context?.hashKey,
      patienceMs: this.#bounded ? this.deadline - startedAt : Infinity,
      idempotent: this.idempotent,
    };
  }

  /** Notes where the next attempt goes, and gives back the trace that it carries. */
  to(address: string): TraceContext | undefined {
    this.count++;
    if (this.#tried) this.#tried.add(address);
    else this.#first = address;
    return this.#observer ? this.#observer.begin(this.trace, address) : this.trace;
  }

  /** An attempt ended. */
  ended(code: Code, durationMs: number, trace: TraceContext | undefined): void {
    this.#observer?.end(code, durationMs, trace);
  }

  /** The call ended. */
  over(code: Code): void {
    this.#observer?.called(code, this.#clock.now() - this.startedAt, this.trace);
  }

  /** The call ended with `error`, which it gives back to be thrown. */
  failed(error: unknown): unknown {
    this.over(codeOfFailure(error));
    return error;
  }

  /** It goes to another peer after `error`. */
  moves(error: LinkFailure): void {
    this.trace?.note?.('moved', { processed: error.processed, attempt: this.count });
  }

  /** How an attempt that ended with `error` now ended, for its instance. */
  outcomeOf(error: unknown): Outcome {
    const reason: unknown = this.signal?.aborted ? this.signal.reason : undefined;
    if (this.signal?.aborted && !(reason instanceof DeadlineExceeded)) return 'ignored';
    if (!(error instanceof ServiceError)) return 'ignored';
    if (error instanceof LinkFailure) return 'failure';
    if (error.code === Code.DEADLINE_EXCEEDED) return 'timeout';
    if (error.code === Code.RESOURCE_EXHAUSTED) return error.reason === 'MESSAGE_TOO_LARGE' ? 'mistake' : 'overload';
    return codeFacts[error.code].blame === 'server' ? 'failure' : 'mistake';
  }

  /** What the call is a part of. */
  get trace(): TraceContext | undefined {
    return this.#context?.trace;
  }

  /** @param trace what the attempt carries */
  call(trace: TraceContext | undefined): OutgoingCall {
    const { onHeader, onTrailer } = this.#options;
    return {
      metadata: this.#metadata(trace),
      deadline: this.deadline,
      signal: this.signal,
      onHeader,
      onTrailer,
    };
  }

  #metadata(trace: TraceContext | undefined): Metadata {
    const metadata: Record<string, string | Uint8Array> = { ...this.#options.metadata };
    const context = this.#context;
    if (context?.requestId) metadata['x-request-id'] = context.requestId;
    if (context?.identity) metadata[IDENTITY_HEADER] = context.identity;
    if (trace) {
      metadata['traceparent'] = trace.traceparent;
      if (trace.tracestate) metadata['tracestate'] = trace.tracestate;
    }
    const earlier = (context?.attempt ?? 0) + this.count - 1;
    // gRFC A6's header, so that a server can tell a retry from a first attempt.
    if (earlier > 0) metadata['grpc-previous-rpc-attempts'] = String(earlier);
    return metadata;
  }
}

/** The code of whatever an attempt was thrown. */
export function codeOfFailure(error: unknown): Code {
  return error instanceof ServiceError ? error.code : Code.UNKNOWN;
}

function joined(a: AbortSignal | undefined, b: CancelSignal | undefined): CancelSignal | undefined {
  return a && b ? AbortSignal.any([a, abortSignalOf(b)]) : (a ?? b);
}
