import * as grpc from '@grpc/grpc-js';
import {
  CallContext,
  Cancellation,
  Cancelled,
  Code,
  DeadlineExceeded,
  ServiceError,
  type CallObserver,
  type Clock,
  type TimerWheel,
} from '@holdfast/core';
import type { Compression } from '../../transport-options.js';
import type { Inbound } from '../../server/inbound.js';
import { acceptsGzip } from '../grpc/compression.js';
import { bytesIn, isMetadata, valueOf } from '../grpc/fields.js';
import { MessageReader } from '../grpc/message-reader.js';
import { settlements } from '../grpc/settlements.js';
import type { Fields } from '../hpack/hpack-decoder.js';
import { ErrorCode } from '../http2/frames.js';
import { AnsweringHalf } from './answering-half.js';
import { CallSurface } from './call-surface.js';
import { readRequest, type RequestHeaders } from './request-headers.js';
import type { Route } from './route.js';
import type { ServerConnection } from './server-connection.js';

/** What a call needs of the server that serves it. */
export interface CallHost {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly maxMessageBytes: number;
  readonly compression: Compression;
  routeOf(path: string): Route | undefined;
  /** A call is to be answered. */
  begun(): void;
  /** It was, or nobody waits for it any more. */
  over(): void;
}

/** One call that this process serves, from its arrival to its end. To the handlers of unary methods it is their call. */
export class ServerCall extends AnsweringHalf implements Inbound {
  context!: CallContext;
  /** The message of a caller that sends one. */
  request: unknown;
  readonly #host: CallHost;
  readonly #reader: MessageReader;
  #headers: RequestHeaders | undefined;
  #metadata: grpc.Metadata | undefined;
  #observer: CallObserver | undefined;
  #startedAt = 0;
  #requests = 0;

  constructor(host: CallHost, connection: ServerConnection) {
    super(connection);
    this.#host = host;
    this.#reader = new MessageReader(host.maxMessageBytes, (message, size) => this.#onMessage(message, size));
  }

  get metadata(): grpc.Metadata {
    return (this.#metadata ??= metadataOf(this.#headers?.fields ?? []));
  }

  getPath(): string {
    return this.#headers?.path ?? '';
  }

  getHost(): string {
    return this.#headers?.authority ?? '';
  }

  getPeer(): string {
    return this.connection.peerAddress;
  }

  /** On the wall clock, as grpc-js has it. */
  getDeadline(): grpc.Deadline {
    const { clock } = this.#host;
    return this.context.deadline === Infinity ? Infinity : clock.wallTime() + this.context.deadline - clock.now();
  }

  on(event: string, listener: () => void): this {
    if (event === 'cancelled') this.onAbandoned(listener);
    return this;
  }

  once(event: string, listener: () => void): this {
    return this.on(event, listener);
  }

  due(): void {
    this.abandon(new DeadlineExceeded('The deadline of the call passed.'), true);
  }

  onHeaders(fields: Fields, endStream: boolean, tooLarge: boolean): void {
    if (!this.#headers) return this.#begin(fields, endStream, tooLarge);
    // Trailers of the caller: gRPC has none, but they end the requests all the same.
    if (endStream) this.#onRequestsEnd();
    else this.connection.onStreamError(this.id, ErrorCode.PROTOCOL_ERROR);
  }

  onData(data: Buffer, endStream: boolean): void {
    if (this.answered || this.cancelled) return this.taken(data.length);
    try {
      this.#reader.push(data);
    } catch (error) {
      return this.fail(
        error instanceof ServiceError ? error : new ServiceError(Code.INTERNAL, 'A request could not be read.'),
      );
    }
    if (endStream) this.#onRequestsEnd();
    else this.takeOwed();
  }

  onReset(): void {
    this.abandon(new Cancelled('The caller cancelled the call or went away.'));
  }

  onLost(): void {
    this.onReset();
  }

  /** A request is taken by the handler: there is room for another. */
  taken(bytes: number): void {
    this.connection.taken(this, bytes);
  }

  /** While no request waits for the handler, a long one may come as fast as it does. */
  takeOwed(): void {
    if (this.surface?.waiting) return;
    const owed = this.#reader.takeOwed();
    if (owed > 0) this.taken(owed);
  }

  protected over(code: Code): void {
    const { clock, wheel } = this.#host;
    wheel.remove(this);
    this.#host.over();
    if (!this.#observer) return;
    const end = () => this.#observer!.end(code, clock.now() - this.#startedAt, this.context.trace);
    // A caller that leaves, and a deadline that passes, come from outside of the call that they end.
    if (CallContext.current() === this.context) end();
    else CallContext.run(this.context, end);
  }

  #begin(fields: Fields, endStream: boolean, tooLarge: boolean): void {
    const { clock, wheel, compression } = this.#host;
    const headers = readRequest(fields);
    const route = this.#host.routeOf(headers.path);
    this.#headers = headers;
    this.#observer = route?.observer;
    this.#startedAt = clock.now();
    this.context = new CallContext({
      deadline: headers.timeoutMs === undefined ? Infinity : this.#startedAt + headers.timeoutMs,
      signal: () => this.#makeSignal(),
      requestId: headers.requestId,
      trace: this.#observer ? this.#observer.begin(headers.trace) : headers.trace,
      identity: headers.identity,
      attempt: headers.attempt,
    });
    settlements.begun++;
    this.#host.begun();
    if (tooLarge) return this.fail(new ServiceError(Code.RESOURCE_EXHAUSTED, 'The headers of the call are too large.'));
    if (headers.refusal) return this.refuse(headers.refusal);
    if (!route) return this.fail(new ServiceError(Code.UNIMPLEMENTED, `There is no method ${headers.path} here.`));
    this.route = route;
    this.#reader.encoding = headers.encoding;
    if (compression === 'gzip') this.packs = acceptsGzip(valueOf(fields, 'grpc-accept-encoding'));
    if (this.context.deadline !== Infinity) wheel.add(this, this.context.deadline);
    const { requestStream, responseStream } = route.method;
    if (requestStream || responseStream) this.surface = new CallSurface(this);
    if (requestStream) route.serve(this);
    if (endStream) this.#onRequestsEnd();
  }

  #onMessage(message: Buffer, size: number): void {
    const { method } = this.route!;
    let value: unknown;
    try {
      value = method.decodeRequest(message);
    } catch (cause) {
      throw new ServiceError(Code.INTERNAL, `A request of ${method.path} could not be read.`, { cause });
    }
    if (method.requestStream) return this.surface!.arrive(value, size);
    this.taken(size);
    if (this.#requests++ > 0) throw new ServiceError(Code.INTERNAL, `${method.path} takes one request.`);
    this.request = value;
  }

  #onRequestsEnd(): void {
    if (this.answered || this.cancelled) return;
    const route = this.route!;
    if (this.#reader.partial) return this.fail(new ServiceError(Code.INTERNAL, 'A request ends in the middle.'));
    if (route.method.requestStream) return this.surface!.arriveEnd();
    if (this.#requests === 0) return this.fail(new ServiceError(Code.INTERNAL, 'The call ended without a request.'));
    route.serve(this);
  }

  #makeSignal(): Cancellation {
    const cancellation = new Cancellation();
    this.onAbandoned(() => cancellation.abort(this.abandonedBecause));
    return cancellation;
  }
}

/** What the caller sent beside its requests, as handlers know it from grpc-js. */
function metadataOf(fields: Fields): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at]!, fields[at + 1]!];
    if (!isMetadata(name, value)) continue;
    if (name.endsWith('-bin')) for (const bytes of bytesIn(value)) metadata.add(name, bytes);
    else metadata.add(name, value);
  }
  return metadata;
}
