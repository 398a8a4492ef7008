import { gunzipSync } from 'node:zlib';
import { Code, ServiceError } from '@holdfast/core';
import { streamWindowBytes } from '../http2/stream.js';

const prefixBytes = 5;
const nothing: Buffer = Buffer.alloc(0);
/** A message longer than this might not fit the window beside what waits before it, in bytes. */
const longBytes = streamWindowBytes / 2;
/**
 * A message in parts is put together in a buffer of this many bytes, then of this many times what has come, then of its own
 * length as soon as that is no more than twice as much again.
 */
const firstBytes = 8_192;
const growth = 8;

/** Takes a message. @param size what of it, as it came, the peer has not got its room back for, in bytes */
export type MessageHandler = (message: Buffer, size: number) => void;

/**
 * Finds gRPC's messages in the DATA of a stream (grpc/grpc `doc/PROTOCOL-HTTP2.md`, Length-Prefixed-Message). A message
 * that came in one piece is a view of it, not a copy.
 */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #handle: MessageHandler;
  readonly #prefix = Buffer.allocUnsafe(prefixBytes);
  #prefixLength = 0;
  #expected = 0;
  /** What has come of a message in parts, and room for more. */
  #partial: Buffer | undefined;
  #partialLength = 0;
  /** What of the incomplete message the peer has not got its room back for, in bytes. */
  #owed = 0;
  /** `grpc-encoding` of the messages that say they are compressed. */
  encoding = 'identity';

  /** @param maxBytes the longest message, in bytes */
  constructor(maxBytes: number, handle: MessageHandler) {
    this.#maxBytes = maxBytes;
    this.#handle = handle;
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#prefixLength > 0;
  }

  /**
   * Room of the part of a long message that has come: it must be given back before the rest can come. Short ones can wait
   * until somebody takes them, which is what holds a fast sender back.
   */
  takeOwed(): number {
    if (this.#expected + prefixBytes <= longBytes) return 0;
    const owed = this.#owed;
    this.#owed = 0;
    return owed;
  }

  /** @throws ServiceError for a message that is too long or cannot be unpacked */
  push(data: Buffer): void {
    let at = 0;
    while (at < data.length) {
      if (this.#prefixLength === 0 && data.length - at >= prefixBytes) {
        const length = this.#lengthIn(data, at);
        const end = at + prefixBytes + length;
        if (end <= data.length) {
          const message = data.subarray(at + prefixBytes, end);
          this.#handle(data[at] === 0 ? message : this.#unpack(message), end - at);
          at = end;
          continue;
        }
      }
      at += this.#proceed(data, at);
    }
  }

  /** Adds to the message that comes in parts. Returns how much of `data` it took. */
  #proceed(data: Buffer, start: number): number {
    let at = start;
    if (this.#prefixLength < prefixBytes) {
      const copied = data.copy(this.#prefix, this.#prefixLength, at);
      const taken = Math.min(copied, prefixBytes - this.#prefixLength);
      this.#prefixLength += taken;
      at += taken;
      if (this.#prefixLength === prefixBytes) this.#expected = this.#lengthIn(this.#prefix, 0);
    }
    if (this.#prefixLength === prefixBytes) at += this.#fill(data, at);
    this.#owed += at - start;
    if (this.#prefixLength === prefixBytes && this.#partialLength === this.#expected) this.#finish();
    return at - start;
  }

  /**
   * Keeps a part. It is copied at once: what it came in would otherwise live until the message is whole, long enough to
   * cost a collection of all garbage. Room is made by what has come, not by what a peer says will come.
   */
  #fill(data: Buffer, at: number): number {
    const taken = Math.min(this.#expected - this.#partialLength, data.length - at);
    if (taken === 0) return 0;
    const length = this.#partialLength + taken;
    let partial = this.#partial;
    if (partial === undefined || partial.length < length) {
      const room = Math.max(firstBytes, growth * length);
      const grown = Buffer.allocUnsafe(2 * room < this.#expected ? room : this.#expected);
      partial?.copy(grown, 0, 0, this.#partialLength);
      this.#partial = partial = grown;
    }
    data.copy(partial, this.#partialLength, at, at + taken);
    this.#partialLength = length;
    return taken;
  }

  #finish(): void {
    const message = this.#partial ?? nothing;
    const [owed, packed] = [this.#owed, this.#prefix[0] !== 0];
    this.#partial = undefined;
    this.#partialLength = this.#prefixLength = this.#expected = this.#owed = 0;
    this.#handle(packed ? this.#unpack(message) : message, owed);
  }

  #lengthIn(bytes: Buffer, at: number): number {
    if (bytes[at]! > 1) throw new ServiceError(Code.INTERNAL, 'A message has a flag that gRPC does not know.');
    const length = bytes.readUInt32BE(at + 1);
    if (length > this.#maxBytes) throw tooLong(this.#maxBytes);
    return length;
  }

  #unpack(message: Buffer): Buffer {
    if (this.encoding !== 'gzip') {
      throw new ServiceError(Code.INTERNAL, `A message is compressed, but by ${this.encoding}.`);
    }
    try {
      return gunzipSync(message, { maxOutputLength: Math.max(1, this.#maxBytes) });
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLong(this.#maxBytes);
      throw new ServiceError(Code.INTERNAL, 'A compressed message cannot be unpacked.', { cause });
    }
  }
}

function tooLong(maxBytes: number): ServiceError {
  const sentence = `Received message larger than max (${maxBytes} bytes).`;
  return new ServiceError(Code.RESOURCE_EXHAUSTED, sentence, { reason: 'MESSAGE_TOO_LARGE' });
}
