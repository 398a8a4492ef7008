import * as grpc from '@grpc/grpc-js';
import { Code, listenTo, ServiceError } from '@holdfast/core';
import type { RpcMethod } from '../method.js';
import { cancelledBy, type OutgoingCall } from '../transport.js';
import { deadlinePassed, failureOf, isFromPeer } from './failure.js';
import { fromGrpcMetadata, toGrpcMetadata } from './metadata.js';
import { unsendable, type CallOwner, type RunningCall } from './unary-call.js';

/** How many responses are fetched before the consumer asks. Beyond them, flow control holds the peer back. */
const readAhead = 16;

interface Waiter<Response> {
  resolve(result: IteratorResult<Response, undefined>): void;
  reject(error: unknown): void;
}

/** One call of a streaming kind. It starts with the first `next()`. */
export class StreamCall<Request, Response>
  implements grpc.InterceptingListener, RunningCall, AsyncIterableIterator<Response, undefined>
{
  readonly #owner: CallOwner;
  readonly #method: RpcMethod<Request, Response>;
  readonly #outgoing: OutgoingCall;
  readonly #requests: AsyncIterator<Request> | Iterator<Request>;
  readonly #arrived: Response[] = [];
  readonly #waiting: Waiter<Response>[] = [];
  #call: grpc.experimental.CallStream | undefined;
  #answered = false;
  #reading = false;
  #over = false;
  /** How it ended, kept until the consumer has seen it. */
  #error: unknown;
  /** Continues the sending side, which waits for the peer to take a message. */
  #continueSending: (() => void) | undefined;

  constructor(
    owner: CallOwner,
    method: RpcMethod<Request, Response>,
    requests: AsyncIterable<Request> | Iterable<Request>,
    outgoing: OutgoingCall,
  ) {
    this.#owner = owner;
    this.#method = method;
    this.#outgoing = outgoing;
    this.#requests = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Response, undefined>> {
    if (!this.#call && !this.#over) this.#start();
    if (this.#arrived.length > 0) {
      const value = this.#arrived.shift() as Response;
      this.#read();
      return Promise.resolve({ value, done: false });
    }
    if (this.#over) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#read();
    });
  }

  /** The consumer left its loop: nobody wants the rest. */
  return(): Promise<IteratorResult<Response, undefined>> {
    if (!this.#over) {
      this.#end(undefined);
      this.#call?.cancelWithStatus(grpc.status.CANCELLED, 'The caller needs no more.');
    }
    this.#arrived.length = 0;
    this.#error = undefined;
    return Promise.resolve({ value: undefined, done: true });
  }

  abort(error: unknown): void {
    if (this.#over) return;
    // What the call was ended for takes effect now, not after messages that nobody waits for any more.
    this.#arrived.length = 0;
    this.#end(error);
    this.#call?.cancelWithStatus(grpc.status.CANCELLED, 'The caller cancelled the call.');
  }

  /** The listener of the call's signal. */
  handleEvent(): void {
    const { signal } = this.#outgoing;
    if (signal) this.abort(cancelledBy(signal));
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#answered = true;
    if (!this.#over) this.#outgoing.onHeader?.(fromGrpcMetadata(metadata));
  }

  onReceiveMessage(message: Buffer): void {
    if (this.#over) return;
    this.#reading = false;
    let value: Response;
    try {
      value = this.#method.decodeResponse(message);
    } catch (cause) {
      const sentence = `A response of ${this.#method.path} could not be read.`;
      return this.abort(new ServiceError(Code.INTERNAL, sentence, { cause }));
    }
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve({ value, done: false });
    else this.#arrived.push(value);
    this.#read();
  }

  onReceiveStatus(status: grpc.StatusObject): void {
    if (this.#over) return;
    if (this.#outgoing.onTrailer && (status.code === grpc.status.OK || isFromPeer(status, this.#answered))) {
      this.#outgoing.onTrailer(fromGrpcMetadata(status.metadata));
    }
    if (status.code === grpc.status.OK) return this.#end(undefined);
    const { address, target } = this.#owner;
    const sent = this.#call?.getPeer() !== target;
    this.#end(failureOf(status, { address, sent, answered: this.#answered }));
  }

  #start(): void {
    const { signal, deadline, metadata } = this.#outgoing;
    if (signal?.aborted) return this.#end(cancelledBy(signal));
    const wallDeadline = this.#owner.wallDeadline(deadline);
    if (wallDeadline <= Date.now()) return this.#end(deadlinePassed(this.#owner.address));
    let headers: grpc.Metadata;
    try {
      headers = toGrpcMetadata(metadata);
    } catch (cause) {
      return this.#end(unsendable(this.#method.path, cause));
    }
    this.#call = this.#owner.channel.createCall(this.#method.path, wallDeadline, null, null, null);
    this.#owner.running.add(this);
    if (signal) listenTo(signal, this);
    this.#call.start(headers, this);
    this.#read();
    void this.#send(this.#call);
  }

  /** Asks for one more message while there is room for it; grpc-js delivers one for each time it is asked. */
  #read(): void {
    if (this.#over || this.#reading || this.#arrived.length >= readAhead) return;
    this.#reading = true;
    this.#call?.startRead();
  }

  async #send(call: grpc.experimental.CallStream): Promise<void> {
    try {
      while (!this.#over) {
        const request = await this.#requests.next();
        if (this.#over) return;
        if (request.done) return call.halfClose();
        const message = this.#encode(request.value);
        await new Promise<void>((resolve) => {
          this.#continueSending = resolve;
          call.sendMessageWithContext({ callback: () => resolve() }, message);
        });
      }
    } catch (error) {
      this.abort(error);
    }
  }

  #encode(request: Request): Buffer {
    try {
      return this.#method.encodeRequest(request);
    } catch (cause) {
      throw unsendable(this.#method.path, cause);
    }
  }

  #end(error: unknown): void {
    this.#over = true;
    this.#error = error;
    this.#outgoing.signal?.removeEventListener('abort', this);
    this.#owner.running.delete(this);
    this.#owner.ended();
    this.#continueSending?.();
    this.#releaseRequests();
    for (const waiter of this.#waiting.splice(0)) {
      if (this.#error === undefined) {
        waiter.resolve({ value: undefined, done: true });
      } else {
        waiter.reject(this.#error);
        this.#error = undefined;
      }
    }
  }

  /** Lets the requests' producer clean up. One that is in the middle of something does so when it is done with that. */
  #releaseRequests(): void {
    const released = this.#requests.return?.();
    if (released instanceof Promise) released.catch(() => undefined);
  }
}
