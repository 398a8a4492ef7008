import * as grpc from '@grpc/grpc-js';
import { Cancelled, Code, type DeadlineExceeded, type ServiceError } from '@holdfast/core';
import { detailsKey, encodeError, type WireStatus } from '../../error-details.js';
import { addSendable, writeFields } from '../grpc/fields.js';
import { encodeStatusMessage } from '../grpc/status-message.js';
import { settlements } from '../grpc/settlements.js';
import type { Fields } from '../hpack/hpack-decoder.js';
import { ErrorCode } from '../http2/frames.js';
import { Stream } from '../http2/stream.js';
import type { CallSurface } from './call-surface.js';
import type { Route } from './route.js';
import type { ServerConnection } from './server-connection.js';

const none: Fields = [];
const good: WireStatus = { code: Code.OK, message: '', details: undefined };

/** What a served call gives back, and how it ends: by an answer, an error, or because nobody waits any more. */
export abstract class AnsweringHalf extends Stream {
  /** True once nobody waits any more: the caller left, or the deadline passed. */
  cancelled = false;
  /** What handlers of streaming methods read from and write to. */
  surface: CallSurface | undefined;
  protected readonly connection: ServerConnection;
  protected route: Route | undefined;
  /** Whether it is decided how it ends. */
  protected answered = false;
  #headersSent = false;
  #settled = false;
  /** How it ended, where the trailers wait for the last message to leave. */
  #pending: { readonly status: WireStatus; readonly trailer: Fields } | undefined;
  #reason: Cancelled | DeadlineExceeded | undefined;
  #listeners: (() => void)[] | undefined;

  constructor(connection: ServerConnection) {
    super();
    this.connection = connection;
  }

  get abandoned(): boolean {
    return this.cancelled && !this.answered;
  }

  get abandonedBecause(): Cancelled | DeadlineExceeded {
    return (this.#reason ??= new Cancelled('The caller cancelled the call or went away.'));
  }

  onAbandoned(task: () => void): void {
    if (this.abandoned) task();
    else if (!this.answered) (this.#listeners ??= []).push(task);
  }

  /** Sends the header of the answer, once, before anything else. @throws ServiceError for what cannot be a header */
  sendMetadata(metadata: grpc.Metadata): void {
    if (!this.#headersSent && !this.closed) this.#sendHeaders(fieldsOf(metadata));
  }

  /**
   * Sends one message.
   * @returns false where it has to wait: the surface is told when it is out
   * @throws what the encoder of the method's answers throws
   */
  write(value: unknown): boolean {
    if (this.cancelled || this.answered || this.closed) return true;
    const message = this.route!.method.encodeResponse(value);
    if (!this.#headersSent) this.#sendHeaders(none);
    return this.connection.sendMessage(this, message, false);
  }

  /** Answers a method with one answer. @throws as {@link write} */
  reply(value: unknown, trailer?: grpc.Metadata): void {
    this.write(value);
    this.finish(trailer);
  }

  /** Ends well. */
  finish(trailer?: grpc.Metadata): void {
    this.#end(good, trailer);
  }

  /** Ends with an error. */
  fail(error: ServiceError, trailer?: grpc.Metadata): void {
    this.#end(this.#statusOf(error), trailer);
  }

  /** Ends a call that nobody waits for. @param tell whether the caller is there to hear of it */
  abandon(reason: Cancelled | DeadlineExceeded, tell = false): void {
    if (this.answered || this.cancelled) return;
    this.#reason = reason;
    this.cancelled = true;
    this.#settle(reason.code);
    for (const task of this.#listeners?.splice(0) ?? []) task();
    this.surface?.cancel();
    if (tell) this.#sendStatus(this.#statusOf(reason), none);
  }

  onSent(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending) this.#sendStatus(pending.status, pending.trailer);
    else this.surface?.sent();
  }

  /** The call is over for the server. `code` is the status that it ended with. */
  protected abstract over(code: Code): void;

  /** What is no gRPC gets an answer of HTTP. */
  protected refuse(status: string): void {
    this.answered = true;
    this.#settle(Code.UNKNOWN);
    const { encoder } = this.connection;
    encoder.begin();
    encoder.stable(':status', status);
    this.connection.sendHeaders(this, encoder.end(), true);
    this.connection.reset(this, ErrorCode.NO_ERROR);
  }

  /** The one place where a call ends. Whoever comes to it asks first whether it has. */
  #settle(code: Code): void {
    if (this.#settled) return void settlements.again++;
    this.#settled = true;
    settlements.ended++;
    this.over(code);
  }

  #statusOf(error: ServiceError): WireStatus {
    return encodeError(error, this.route?.domain ?? '');
  }

  #end(status: WireStatus, metadata: grpc.Metadata | undefined): void {
    if (this.answered || this.cancelled) return;
    const trailer = metadata ? fieldsOf(metadata) : none;
    this.answered = true;
    this.#settle(status.code);
    if (this.unsent === undefined) this.#sendStatus(status, trailer);
    else this.#pending = { status, trailer };
  }

  #sendHeaders(header: Fields): void {
    const { encoder, answerHeaders } = this.connection;
    this.#headersSent = true;
    answerHeaders.begin(encoder);
    if (this.packs) encoder.stable('grpc-encoding', 'gzip');
    writeFields(encoder, header);
    this.connection.sendHeaders(this, encoder.end(), false);
  }

  #sendStatus({ code, message, details }: WireStatus, trailer: Fields): void {
    const { connection } = this;
    const { encoder } = connection;
    if (this.closed || connection.ended) return;
    if (this.unsent !== undefined) return connection.reset(this, ErrorCode.CANCEL);
    if (code === Code.OK && this.#headersSent) {
      connection.goodTrailers.begin(encoder);
    } else {
      // Without a header before it, it is both (Trailers-Only).
      if (this.#headersSent) encoder.begin();
      else connection.answerHeaders.begin(encoder);
      encoder.stable('grpc-status', String(code));
      if (message !== '') encoder.varying('grpc-message', encodeStatusMessage(message));
      if (details) encoder.varying(detailsKey, details.toString('base64').replace(/=+$/, ''));
    }
    writeFields(encoder, trailer);
    connection.sendHeaders(this, encoder.end(), true);
    // The rest of the requests has nowhere to go (RFC 9113 §8.1).
    connection.reset(this, ErrorCode.NO_ERROR);
  }
}

/** Metadata of grpc-js, which handlers make, as fields. */
function fieldsOf(metadata: grpc.Metadata): Fields {
  const fields: string[] = [];
  for (const [key, values] of Object.entries(metadata.toJSON() as Record<string, grpc.MetadataValue[]>)) {
    for (const value of values) addSendable(fields, key, value);
  }
  return fields;
}
