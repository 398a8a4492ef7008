import { Cancelled, Code, ServiceError, type CancelSignal, type Live, type ServiceErrorOptions } from '@holdfast/core';
import type { RpcMethod } from './method.js';

/** Headers or trailers of a call. Keys are lower case; a key that ends in `-bin` has bytes, every other a string. */
export type Metadata = Readonly<Record<string, string | Uint8Array>>;

/** The outbound side of one attempt, all plain arguments. */
export interface OutgoingCall {
  readonly metadata: Metadata;
  /** When to give up, on `Clock.now()` of the transport's clock, in milliseconds; Infinity for never. It travels as `grpc-timeout`. */
  readonly deadline: number;
  /** Cancels the call, on the wire too. */
  readonly signal?: CancelSignal | undefined;
  /** Called once with what the server sent before its first message, if it did. */
  readonly onHeader?: ((header: Metadata) => void) | undefined;
  /** Called once with the trailers of a call that ended with an answer, good or bad. */
  readonly onTrailer?: ((trailer: Metadata) => void) | undefined;
}

/**
 * idle: no connection and no attempt to get one · connecting · ready: calls go out at once ·
 * failing: the last attempt failed, another is due · closed: for good
 */
export type LinkState = 'idle' | 'connecting' | 'ready' | 'failing' | 'closed';

/**
 * The link failed, not the service: no status of the peer was received. `processed` is `never` where it is certain that
 * the peer did not act on the call, so that any method may go elsewhere, and `maybe` where only idempotent ones may.
 */
export class LinkFailure extends ServiceError {
  readonly processed: 'never' | 'maybe';
  constructor(message: string, processed: 'never' | 'maybe', options?: ServiceErrorOptions) {
    super(Code.UNAVAILABLE, message, { reason: 'LINK_FAILURE', ...options });
    this.processed = processed;
  }
}

/** The error for a call whose signal aborted: the reason itself where it is one of ours, so that nothing is lost. */
export function cancelledBy(signal: CancelSignal): ServiceError {
  const reason: unknown = signal.reason;
  if (reason instanceof ServiceError) return reason;
  return new Cancelled('The caller cancelled the call.', { cause: reason });
}

/** The way to one peer. It connects when told to (or by the first call) and then keeps itself connected, with jitter, until closed. */
export interface Link {
  readonly state: Live<LinkState>;
  /** Starts to connect if it does not yet; returns at once. */
  connect(): void;
  /**
   * One request, one response.
   * @throws ServiceError with the peer's code; DeadlineExceeded or Cancelled as the call says; LinkFailure
   */
  unary<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    call: OutgoingCall,
  ): Promise<Response>;
  /**
   * Any streaming kind; a side that does not stream has exactly one message. Back-pressure holds both ways: requests are
   * pulled as the peer takes them, responses are read as the consumer asks. Leaving the loop early cancels the call.
   * @throws as `unary`, from the iteration
   */
  stream<Request, Response>(
    method: RpcMethod<Request, Response>,
    requests: AsyncIterable<Request> | Iterable<Request>,
    call: OutgoingCall,
  ): AsyncIterable<Response>;
  /** Lets the calls that run end, takes no new ones, then closes. Resolves when closed. */
  drain(): Promise<void>;
  /** Closes now; calls that run end with LinkFailure. */
  close(): void;
}

/** How bytes reach peers: the narrow port under the balancer. One per process and kind. */
export interface Transport {
  /** `grpc-js`, `h2` */
  readonly name: string;
  /** A new link to `address` (`host:port`, IPv6 in brackets), not yet connecting. */
  connect(address: string): Link;
}
