import { Code, DeadlineExceeded, listenTo, ServiceError, type CancelListener } from '@holdfast/core';
import { decodeError, detailsKey } from '../../error-details.js';
import type { RpcMethod } from '../../method.js';
import type { Compression } from '../../transport-options.js';
import { cancelledBy, LinkFailure, type OutgoingCall } from '../../transport.js';
import { acceptsGzip } from '../grpc/compression.js';
import { bytesIn, isWellFormed, metadataIn, sendable, valueOf, writeFields } from '../grpc/fields.js';
import { MessageReader } from '../grpc/message-reader.js';
import { settlements } from '../grpc/settlements.js';
import { decodeStatusMessage } from '../grpc/status-message.js';
import { encodeTimeout } from '../grpc/timeout.js';
import type { Fields } from '../hpack/hpack-decoder.js';
import { ErrorCode, errorName } from '../http2/frames.js';
import { Stream } from '../http2/stream.js';
import type { ClientConnection } from './client-connection.js';
import { codeOfHttp } from './http-status.js';

/** What a call needs of the link it goes over. */
export interface CallOwner {
  readonly address: string;
  readonly maxMessageBytes: number;
  readonly compression: Compression;
  readonly now: () => number;
  /** Tells that the call is over. */
  over(call: ClientCall<unknown, unknown>): void;
}

const statusPseudo = [':status'] as const;
const noPseudo: readonly string[] = [];

/** One call on its way out: what the unary and the streaming kinds have in common. */
export abstract class ClientCall<Request, Response> extends Stream implements CancelListener {
  /** Whether its link counts it. @internal the link's */
  submitted = false;
  protected readonly owner: CallOwner;
  protected readonly method: RpcMethod<Request, Response>;
  protected readonly outgoing: OutgoingCall;
  protected readonly reader: MessageReader;
  protected connection: ClientConnection | undefined;
  protected over = false;
  #headersSeen = false;
  #fields: Fields = [];

  constructor(owner: CallOwner, method: RpcMethod<Request, Response>, outgoing: OutgoingCall) {
    super();
    this.owner = owner;
    settlements.begun++;
    this.method = method;
    this.outgoing = outgoing;
    this.reader = new MessageReader(owner.maxMessageBytes, (message, size) => this.onMessage(message, size));
  }

  /** When to give up, in milliseconds on the transport's clock; Infinity for never. */
  get deadline(): number {
    return this.outgoing.deadline;
  }

  /** The error for a call that cannot even begin; undefined where it can. */
  protected hindrance(): ServiceError | undefined {
    const { signal, deadline, metadata } = this.outgoing;
    if (signal?.aborted) return cancelledBy(signal);
    if (deadline <= this.owner.now()) return this.deadlinePassed();
    try {
      this.#fields = sendable(metadata);
    } catch (cause) {
      return this.unsendable(cause);
    }
    return undefined;
  }

  /** From here on the call can end by its signal. */
  protected listen(): void {
    if (this.outgoing.signal) listenTo(this.outgoing.signal, this);
  }

  /** Goes out over `connection`, which has room for it. */
  begin(connection: ClientConnection): void {
    this.connection = connection;
    const { encoder } = connection;
    const { deadline } = this.outgoing;
    connection.beginRequest(this.method.path);
    this.packs = this.owner.compression === 'gzip' && connection.acceptsGzip;
    if (this.packs) encoder.stable('grpc-encoding', 'gzip');
    if (deadline !== Infinity) encoder.varying('grpc-timeout', encodeTimeout(deadline - this.owner.now()));
    writeFields(encoder, this.#fields);
    connection.open(this);
    connection.sendHeaders(this, encoder.end(), false);
    this.begun(connection);
  }

  /** Ends the call now, on the wire too. */
  abort(error: unknown, code: number = ErrorCode.CANCEL): void {
    if (this.over) return;
    this.finish(error);
    this.connection?.reset(this, code);
  }

  /** The listener of the call's signal; an object, so that no call makes a closure for it. */
  handleEvent(): void {
    const { signal } = this.outgoing;
    if (signal) this.abort(cancelledBy(signal));
  }

  /** The deadline has come. */
  due(): void {
    this.abort(this.deadlinePassed());
  }

  onHeaders(fields: Fields, endStream: boolean, tooLarge: boolean): void {
    if (this.over) return;
    try {
      this.#takeHeaders(fields, endStream, tooLarge);
    } catch (error) {
      // What a caller's own listener throws is the end of that call, not of the connection.
      this.abort(error);
    }
  }

  onData(data: Buffer, endStream: boolean): void {
    if (this.over) return this.connection?.taken(this, data.length);
    try {
      if (!this.#headersSeen) return this.abort(this.broken('answered without headers'), ErrorCode.PROTOCOL_ERROR);
      this.reader.push(data);
    } catch (error) {
      return this.abort(error);
    }
    if (endStream && !this.over) this.finish(this.broken('ended the call without a status'));
  }

  onReset(code: number): void {
    if (this.over) return;
    if (code === ErrorCode.REFUSED_STREAM) return this.finish(this.broken('refused the call', 'never'));
    this.finish(this.broken(`reset the call by ${errorName(code)}`));
  }

  onLost(error: Error, unprocessed: boolean): void {
    if (this.over) return;
    const sentence = `The connection to ${this.owner.address} broke: ${error.message}.`;
    this.finish(new LinkFailure(sentence, unprocessed ? 'never' : 'maybe'));
  }

  /** The headers are out; the requests follow. */
  protected abstract begun(connection: ClientConnection): void;
  protected abstract onMessage(message: Buffer, size: number): void;
  /** The call ended, well where there is no error. */
  protected abstract onFinished(error: unknown): void;

  /** The one place where a call ends. Whoever comes to it asks first whether it has. */
  protected finish(error: unknown): void {
    if (this.over) return void settlements.again++;
    settlements.ended++;
    this.over = true;
    this.outgoing.signal?.removeEventListener('abort', this);
    this.owner.over(this as ClientCall<unknown, unknown>);
    this.onFinished(error);
  }

  protected unreadable(cause: unknown): ServiceError {
    return new ServiceError(Code.INTERNAL, `The answer of ${this.method.path} could not be read.`, { cause });
  }

  protected unsendable(cause: unknown): ServiceError {
    if (cause instanceof ServiceError) return cause;
    const sentence = `A request for ${this.method.path} could not be written: ${String(cause)}.`;
    return new ServiceError(Code.INTERNAL, sentence, { cause });
  }

  protected deadlinePassed(): DeadlineExceeded {
    return new DeadlineExceeded(`No answer from ${this.owner.address} before the deadline.`);
  }

  protected broken(what: string, processed: LinkFailure['processed'] = 'maybe'): LinkFailure {
    return new LinkFailure(`The peer at ${this.owner.address} ${what}.`, processed);
  }

  #takeHeaders(fields: Fields, endStream: boolean, tooLarge: boolean): void {
    if (tooLarge) return this.abort(this.broken('sent more headers than are taken'));
    const trailers = this.#headersSeen;
    if (!isWellFormed(fields, trailers ? noPseudo : statusPseudo) || (trailers && !endStream)) {
      return this.abort(this.broken('sent headers that HTTP/2 does not allow'), ErrorCode.PROTOCOL_ERROR);
    }
    if (!trailers) {
      const status = Number(valueOf(fields, ':status'));
      // Informational answers precede the real one (RFC 9113 §8.1).
      if (status >= 100 && status < 200 && !endStream) return;
      if (status !== 200) return this.#refusedBy(status, fields);
      this.#headersSeen = true;
      this.#learn(fields);
      if (!endStream) return this.#onHeader(fields);
    }
    this.#onTrailers(fields);
    this.connection?.reset(this, ErrorCode.NO_ERROR);
  }

  /** An answer tells what its sender reads, but it need not be looked at for every call. */
  #learn(fields: Fields): void {
    if (this.owner.compression === 'none' || !this.connection || this.connection.acceptsGzip) return;
    this.connection.acceptsGzip = acceptsGzip(valueOf(fields, 'grpc-accept-encoding'));
  }

  #onHeader(fields: Fields): void {
    const encoding = valueOf(fields, 'grpc-encoding');
    if (encoding !== undefined) this.reader.encoding = encoding;
    this.outgoing.onHeader?.(metadataIn(fields));
  }

  #onTrailers(fields: Fields): void {
    const code = valueOf(fields, 'grpc-status');
    if (code === undefined) return this.finish(this.broken('ended the call without a status'));
    this.outgoing.onTrailer?.(metadataIn(fields));
    // Whoever listens may have cancelled the call.
    if (this.over) return;
    if (code === '0') {
      if (!this.reader.partial) return this.finish(undefined);
      return this.finish(new ServiceError(Code.INTERNAL, 'The answer ends in the middle of a message.'));
    }
    const details = valueOf(fields, detailsKey);
    const message = decodeStatusMessage(valueOf(fields, 'grpc-message') ?? '');
    this.finish(decodeError(Number(code), message, details === undefined ? undefined : bytesIn(details)[0]));
  }

  /** An answer that is none of gRPC's: from a proxy, or from a server of another kind. */
  #refusedBy(status: number, fields: Fields): void {
    const code = valueOf(fields, 'grpc-status');
    if (code !== undefined) this.#onTrailers(fields);
    else
      this.finish(new ServiceError(codeOfHttp(status), `${this.owner.address} answered with HTTP status ${status}.`));
    this.connection?.reset(this, ErrorCode.CANCEL);
  }
}
