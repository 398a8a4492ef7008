import * as grpc from '@grpc/grpc-js';
import { Code, listenTo, ServiceError } from '@holdfast/core';
import type { RpcMethod } from '../method.js';
import { cancelledBy, type OutgoingCall } from '../transport.js';
import { deadlinePassed, failureOf, isFromPeer } from './failure.js';
import { fromGrpcMetadata, toGrpcMetadata } from './metadata.js';

/** What a call needs of the link it goes over. */
export interface CallOwner {
  readonly address: string;
  readonly channel: grpc.Channel;
  /** `channel.getTarget()`, which does not change: what a call that no connection took says its peer is. */
  readonly target: string;
  /** When `deadline` will be on the wall clock that grpc-js reads. */
  wallDeadline(deadline: number): number;
  /** The calls that run, so that the link can end them. */
  readonly running: Set<RunningCall>;
  /** Tells the link that a call left {@link running}. */
  ended(): void;
}

export interface RunningCall {
  /** Ends the call now, on the wire too. */
  abort(error: ServiceError): void;
}

export function unsendable(path: string, cause: unknown): ServiceError {
  return new ServiceError(Code.INTERNAL, `A request for ${path} could not be written: ${String(cause)}.`, { cause });
}

/**
 * One unary call on grpc-js's own call object. `Client.makeUnaryRequest` would add an emitter, an interceptor chain and
 * a captured stack to each call; the channel's calls are the public layer below it and have none of them.
 */
export class UnaryCall<Request, Response> implements grpc.InterceptingListener, RunningCall {
  readonly #owner: CallOwner;
  readonly #method: RpcMethod<Request, Response>;
  readonly #outgoing: OutgoingCall;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  #call: grpc.experimental.CallStream | undefined;
  #message: Buffer | undefined;
  #answered = false;
  #over = false;

  constructor(
    owner: CallOwner,
    method: RpcMethod<Request, Response>,
    outgoing: OutgoingCall,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.#owner = owner;
    this.#method = method;
    this.#outgoing = outgoing;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(request: Request): void {
    const { signal, deadline, metadata } = this.#outgoing;
    if (signal?.aborted) return this.#reject(cancelledBy(signal));
    const wallDeadline = this.#owner.wallDeadline(deadline);
    if (wallDeadline <= Date.now()) return this.#reject(deadlinePassed(this.#owner.address));
    let message: Buffer;
    let headers: grpc.Metadata;
    try {
      message = this.#method.encodeRequest(request);
      headers = toGrpcMetadata(metadata);
    } catch (cause) {
      return this.#reject(unsendable(this.#method.path, cause));
    }
    const call = this.#owner.channel.createCall(this.#method.path, wallDeadline, null, null, null);
    this.#call = call;
    this.#owner.running.add(this);
    if (signal) listenTo(signal, this);
    call.start(headers, this);
    call.startRead();
    call.sendMessageWithContext({}, message);
    call.halfClose();
  }

  /** The listener of the call's signal; an object, so that no call makes a closure for it. */
  handleEvent(): void {
    const { signal } = this.#outgoing;
    if (signal) this.abort(cancelledBy(signal));
  }

  abort(error: ServiceError): void {
    if (this.#over) return;
    this.#end();
    this.#call?.cancelWithStatus(grpc.status.CANCELLED, error.message);
    this.#reject(error);
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#answered = true;
    if (!this.#over) this.#outgoing.onHeader?.(fromGrpcMetadata(metadata));
  }

  onReceiveMessage(message: Buffer): void {
    this.#message = message;
  }

  onReceiveStatus(status: grpc.StatusObject): void {
    if (this.#over) return;
    this.#end();
    if (this.#outgoing.onTrailer && (status.code === grpc.status.OK || isFromPeer(status, this.#answered))) {
      this.#outgoing.onTrailer(fromGrpcMetadata(status.metadata));
    }
    if (status.code !== grpc.status.OK) return this.#reject(this.#failure(status));
    if (this.#message === undefined) {
      return this.#reject(new ServiceError(Code.UNIMPLEMENTED, `${this.#method.path} ended without an answer.`));
    }
    try {
      this.#resolve(this.#method.decodeResponse(this.#message));
    } catch (cause) {
      const message = `The answer of ${this.#method.path} could not be read.`;
      this.#reject(new ServiceError(Code.INTERNAL, message, { cause }));
    }
  }

  #failure(status: grpc.StatusObject): ServiceError {
    const { address, target } = this.#owner;
    const sent = this.#call?.getPeer() !== target;
    return failureOf(status, { address, sent, answered: this.#answered });
  }

  #end(): void {
    this.#over = true;
    this.#outgoing.signal?.removeEventListener('abort', this);
    this.#owner.running.delete(this);
    this.#owner.ended();
  }
}
