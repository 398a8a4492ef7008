import { gunzipSync } from 'node:zlib';
import { Code, ServiceError } from '@holdfast/core';
import { streamWindowBytes } from '../http2/stream.js';

const prefixBytes = 5;
/** A message longer than this might not fit the window beside what waits before it, in bytes. */
const longBytes = streamWindowBytes / 2;
/** A part of a message that is at least this long is kept as it came, in bytes: what it came in is 64 KiB at most. */
const keptBytes = 8_192;

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
  /** The parts that have come, and at the end of them the small ones that are put together. */
  #parts: Buffer[] = [];
  #small: Buffer | undefined;
  #smallLength = 0;
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

  /** Keeps a part: as it is where it is most of what it came in, copied where it would keep much more alive than itself. */
  #fill(data: Buffer, at: number): number {
    const taken = Math.min(this.#expected - this.#partialLength, data.length - at);
    if (taken >= keptBytes) {
      this.#closeSmall();
      this.#parts.push(data.subarray(at, at + taken));
    } else {
      for (let from = at; from < at + taken;) {
        this.#small ??= Buffer.allocUnsafe(Math.min(keptBytes, this.#expected - this.#partialLength));
        const copied = data.copy(this.#small, this.#smallLength, from, at + taken);
        this.#smallLength += copied;
        from += copied;
        if (this.#smallLength === this.#small.length) this.#closeSmall();
      }
    }
    this.#partialLength += taken;
    return taken;
  }

  #closeSmall(): void {
    if (this.#small) this.#parts.push(this.#small.subarray(0, this.#smallLength));
    this.#small = undefined;
    this.#smallLength = 0;
  }

  #finish(): void {
    this.#closeSmall();
    const message = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#expected);
    const [owed, packed] = [this.#owed, this.#prefix[0] !== 0];
    this.#parts = [];
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
