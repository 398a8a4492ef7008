import { AsyncLocalStorage } from 'node:async_hooks';
import { abortSignalOf, type CancelSignal } from './cancellation.js';
import type { Clock } from './clock.js';

/** W3C trace context, carried as received where nothing in the process traces. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
  /** Notes what was decided about the call on the span that this names; there only where this process records it. */
  note?(event: string, facts?: TraceFacts): void;
}

/** What an event of a span says of itself: short words and numbers, and nothing that a request brought. */
export type TraceFacts = Readonly<Record<string, string | number | boolean>>;
/** Under which name the identity of a call travels between services; what comes in from outside under it is dropped. */
export const IDENTITY_HEADER = 'x-holdfast-identity';

export interface CallContextFields {
  /** When the caller stops waiting, on the process's monotonic clock (`Clock.now()`), in milliseconds. @default Infinity */
  readonly deadline?: number;
  /** Aborts when the caller goes away or its deadline passes. A function is called once, on first use: most calls never look. */
  readonly signal?: CancelSignal | (() => CancelSignal);
  readonly requestId?: string | undefined;
  readonly trace?: TraceContext | undefined;
  /** On whose behalf the call is made, as the edge has signed it: opaque, passed on as it is, and checked by who acts on it. */
  readonly identity?: string | undefined;
  /** Which try of the logical call this is; 0 is the first. @default 0 */
  readonly attempt?: number;
  /** Addresses that earlier attempts of the logical call went to; the balancer adds to it and avoids them. */
  readonly tried?: Set<string> | undefined;
  /** What consistent hashing keys on. */
  readonly hashKey?: string | undefined;
  /** True under a layer that retries by itself: layers below then do not, so that attempts never multiply. @default false */
  readonly retriesOwned?: boolean;
}

const storage = new AsyncLocalStorage<CallContext>();
let neverAborted: AbortSignal | undefined;

/**
 * What a call carries through the process and over hops: how long it may take, who is told when nobody waits any more,
 * and where it has been. The inbound edge of each process (HTTP or RPC server) opens one; the outbound edge reads it.
 */
export class CallContext {
  readonly deadline: number;
  readonly requestId: string | undefined;
  readonly trace: TraceContext | undefined;
  readonly identity: string | undefined;
  readonly attempt: number;
  readonly hashKey: string | undefined;
  readonly retriesOwned: boolean;
  readonly #tried: Set<string> | undefined;
  #cancellation: CancelSignal | (() => CancelSignal) | undefined;
  #signal: AbortSignal | undefined;

  constructor(fields: CallContextFields = {}) {
    this.deadline = fields.deadline ?? Infinity;
    this.requestId = fields.requestId;
    this.trace = fields.trace;
    this.identity = fields.identity;
    this.attempt = fields.attempt ?? 0;
    this.#tried = fields.tried;
    this.hashKey = fields.hashKey;
    this.retriesOwned = fields.retriesOwned ?? false;
    this.#cancellation = fields.signal;
  }

  /** The context of the call that this code runs for; undefined outside of any. */
  static current(): CallContext | undefined {
    return storage.getStore();
  }

  /** Runs `fn` with `args`, and everything it awaits, in `context`. */
  static run<A extends unknown[], R>(context: CallContext, fn: (...args: A) => R, ...args: A): R {
    return storage.run(context, fn, ...args);
  }

  /** Addresses that earlier attempts of the logical call went to; the balancer adds to it. */
  get tried(): Set<string> | undefined {
    return this.#tried;
  }

  /** Aborts when nobody waits for the call any more. What a handler passes on to whatever takes an AbortSignal. */
  get signal(): AbortSignal {
    const cancellation = this.cancellation;
    return (this.#signal ??= cancellation
      ? abortSignalOf(cancellation)
      : (neverAborted ??= new AbortController().signal));
  }

  /** Whether it can be cancelled at all; to ask makes nothing. */
  get cancellable(): boolean {
    return this.#cancellation !== undefined;
  }

  /** The same for the platform's own code, at less cost; undefined where the call cannot be cancelled. */
  get cancellation(): CancelSignal | undefined {
    if (typeof this.#cancellation === 'function') this.#cancellation = this.#cancellation();
    return this.#cancellation;
  }

  /** Milliseconds left before the deadline: Infinity without one, 0 once it has passed. */
  remaining(clock: Clock): number {
    return this.deadline === Infinity ? Infinity : Math.max(0, this.deadline - clock.now());
  }

  /** This context with some fields changed. A deadline only ever gets earlier. */
  with(fields: CallContextFields): CallContext {
    return new CallContext({
      requestId: this.requestId,
      trace: this.trace,
      identity: this.identity,
      attempt: this.attempt,
      hashKey: this.hashKey,
      retriesOwned: this.retriesOwned,
      tried: this.tried,
      ...(this.cancellable && { signal: () => this.cancellation! }),
      ...fields,
      deadline: Math.min(this.deadline, fields.deadline ?? Infinity),
    });
  }
}
