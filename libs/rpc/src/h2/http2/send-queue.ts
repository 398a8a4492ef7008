import { Flag, FrameType, ConnectionError, ErrorCode, max31Bits, StreamError } from './frames.js';
import type { Outbox } from './outbox.js';
import type { PeerSettings } from './settings.js';
import type { Stream } from './stream.js';

const nothing: Buffer = Buffer.alloc(0);

/**
 * Sends messages as the peer's windows and the socket allow (RFC 9113 §5.2). Streams with something to send take turns,
 * one frame each, so that a large message holds up no small one.
 */
export class SendQueue {
  readonly #outbox: Outbox;
  readonly #done: (stream: Stream) => void;
  #settings: Readonly<PeerSettings>;
  /** What the peer takes on the whole connection now, in bytes; the protocol starts with this much (RFC 9113 §6.9.2). */
  #window = 65_535;
  /** Streams that have something to send and room for it. */
  readonly #ready = new Set<Stream>();
  #queued = 0;
  #frames = 0;

  /** @param done told when a message that had to wait has been handed over */
  constructor(outbox: Outbox, settings: Readonly<PeerSettings>, done: (stream: Stream) => void) {
    this.#outbox = outbox;
    this.#settings = settings;
    this.#done = done;
  }

  /** What waits for a window or the socket, in bytes. */
  get queued(): number {
    return this.#queued;
  }

  /** How many frames of DATA were sent so far. */
  get frames(): number {
    return this.#frames;
  }

  set settings(settings: Readonly<PeerSettings>) {
    this.#settings = settings;
  }

  /**
   * Sends one message, framed for gRPC. There must be none of the stream waiting.
   * @param packed whether it is compressed
   * @returns false where it has to wait; `done` is told later, never from within this
   */
  send(stream: Stream, message: Buffer, packed: boolean, endStream: boolean): boolean {
    const size = message.length + 5;
    const room = Math.min(this.#window, stream.sendWindow, this.#settings.maxFrame);
    if (size <= room && !this.#outbox.congested) {
      this.#window -= size;
      stream.sendWindow -= size;
      this.#frames++;
      this.#outbox.message(stream.id, message, packed, endStream);
      return true;
    }
    const prefix = Buffer.alloc(5);
    if (packed) prefix[0] = 1;
    prefix.writeUInt32BE(message.length, 1);
    stream.unsent = message.length === 0 ? [prefix] : [prefix, message];
    stream.endsAfterUnsent = endStream;
    this.#queued += size;
    // Streams that are ready wait for the connection, and so does this one.
    while (this.#ready.size === 0 && this.#sendable(stream)) {
      this.#sendFrame(stream);
      if (stream.unsent === undefined) return true;
    }
    if (stream.sendWindow > 0) this.#ready.add(stream);
    return false;
  }

  /** The peer takes `bytes` more of one stream. @throws StreamError (RFC 9113 §6.9.1) */
  grantStream(stream: Stream, bytes: number): void {
    stream.sendWindow += bytes;
    if (stream.sendWindow > max31Bits) {
      throw new StreamError(ErrorCode.FLOW_CONTROL_ERROR, 'The window of the stream overflows.');
    }
    if (stream.unsent === undefined || stream.sendWindow <= 0) return;
    this.#ready.add(stream);
    this.pump();
  }

  /** The peer takes `bytes` more, or less, of every stream (RFC 9113 §6.9.2). @throws ConnectionError */
  grantAll(streams: readonly Stream[], bytes: number): void {
    if (bytes === 0) return;
    for (const stream of streams) {
      stream.sendWindow += bytes;
      if (stream.sendWindow > max31Bits) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'The window of a stream overflows.');
      }
      if (stream.unsent !== undefined && stream.sendWindow > 0) this.#ready.add(stream);
    }
    this.pump();
  }

  /** The peer takes `bytes` more on the connection. @throws ConnectionError (RFC 9113 §6.9.1) */
  grantConnection(bytes: number): void {
    this.#window += bytes;
    if (this.#window > max31Bits) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'The window of the connection overflows.');
    }
    this.pump();
  }

  /** Sends what may be sent now. */
  pump(): void {
    for (const stream of this.#ready) {
      if (this.#window <= 0 || this.#outbox.congested) return;
      // To the end of the line, which this loop comes to as well.
      this.#ready.delete(stream);
      if (stream.sendWindow <= 0) continue;
      this.#sendFrame(stream);
      if (stream.unsent === undefined) this.#done(stream);
      else this.#ready.add(stream);
    }
  }

  /** Drops what the stream has still to send. */
  forget(stream: Stream): void {
    if (stream.unsent === undefined) return;
    for (const part of stream.unsent) this.#queued -= part.length;
    stream.unsent = undefined;
    this.#ready.delete(stream);
  }

  #sendable(stream: Stream): boolean {
    return this.#window > 0 && stream.sendWindow > 0 && !this.#outbox.congested;
  }

  #sendFrame(stream: Stream): void {
    const parts = stream.unsent!;
    const room = Math.min(this.#window, stream.sendWindow, this.#settings.maxFrame);
    // The prefix of a message leaves with what it is before.
    const prefix = parts.length > 1 && parts[0]!.length < room ? parts.shift()! : nothing;
    const part = parts[0]!;
    const length = Math.min(part.length, room - prefix.length);
    const whole = length === part.length;
    if (whole) parts.shift();
    else parts[0] = part.subarray(length);
    const size = prefix.length + length;
    this.#window -= size;
    stream.sendWindow -= size;
    this.#queued -= size;
    this.#frames++;
    const done = whole && parts.length === 0;
    const flags = done && stream.endsAfterUnsent ? Flag.END_STREAM : 0;
    this.#outbox.frame(FrameType.DATA, flags, stream.id, whole ? part : part.subarray(0, length), prefix);
    if (done) stream.unsent = undefined;
  }
}
