import { HpackDecoder, type Fields } from '../hpack/hpack-decoder.js';
import { contentOf, FrameGuard } from './frame-guard.js';
import { FrameReader } from './frame-reader.js';
import { ConnectionError, defaultMaxFrame, ErrorCode, Flag, FrameType, max31Bits, StreamError } from './frames.js';
import { HeaderAssembly, type HeaderBlock } from './header-assembly.js';

/** What a connection does about what has come. */
export interface Receiver {
  onHeaders(id: number, fields: Fields, endStream: boolean, tooLarge: boolean): void;
  /** @param size what the frame takes of the windows: its padding, too (RFC 9113 §6.1) */
  onData(id: number, data: Buffer, size: number, endStream: boolean): void;
  onReset(id: number, code: number): void;
  onSettings(payload: Buffer): void;
  onPing(payload: Buffer, ack: boolean): void;
  onGoAway(lastId: number, code: number): void;
  onWindowUpdate(id: number, bytes: number): void;
  /** The peer broke the rules of one stream. */
  onStreamError(id: number, code: number): void;
}

/** The largest header list that is taken, in bytes as RFC 9113 §6.5.2 counts them. */
export const maxHeaderListBytes = 16_384;

/**
 * The receiving half of a connection: from bytes to what they say, with all that can be refused on the way without
 * knowing the streams.
 */
export class Inbound {
  /** How many bytes and frames have come so far. */
  bytes = 0;
  frames = 0;
  readonly guard: FrameGuard;
  /** When what is being read came, on the connection's clock, in milliseconds. */
  now: number;
  readonly #receiver: Receiver;
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(maxHeaderListBytes);
  readonly #headers = new HeaderAssembly(maxHeaderListBytes);

  constructor(receiver: Receiver, now: number) {
    this.#receiver = receiver;
    this.now = now;
    this.guard = new FrameGuard(now);
    this.#reader = new FrameReader(defaultMaxFrame, (type, flags, id, payload) =>
      this.#onFrame(type, flags, id, payload),
    );
  }

  /** Whether a frame or a header block has begun and not ended. */
  get partial(): boolean {
    return this.#reader.partial || this.#headers.pending;
  }

  /** @throws ConnectionError, HpackError */
  push(chunk: Buffer, now: number): void {
    this.now = now;
    this.bytes += chunk.length;
    this.#reader.push(chunk);
  }

  #onFrame(type: number, flags: number, id: number, payload: Buffer): void {
    this.frames++;
    if (this.#headers.pending && type !== FrameType.CONTINUATION) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'A header block was interrupted.');
    }
    if (this.frames === 1 && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'The first frame is not SETTINGS.');
    }
    this.guard.check(type, id, payload.length);
    try {
      this.#dispatch(type, flags, id, payload);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.guard.resetByUs(this.now);
      this.#receiver.onStreamError(id, error.code);
    }
  }

  #dispatch(type: number, flags: number, id: number, payload: Buffer): void {
    const receiver = this.#receiver;
    switch (type) {
      case FrameType.DATA: {
        const endStream = (flags & Flag.END_STREAM) !== 0;
        const data = contentOf(type, flags, payload);
        if (data.length === 0 && !endStream) this.guard.cheap(this.now);
        return receiver.onData(id, data, payload.length, endStream);
      }
      case FrameType.HEADERS:
        return this.#onBlock(this.#headers.start(id, flags, contentOf(type, flags, payload)));
      case FrameType.CONTINUATION:
        return this.#onBlock(this.#headers.proceed(id, flags, payload));
      case FrameType.RST_STREAM:
        return receiver.onReset(id, payload.readUInt32BE(0));
      case FrameType.SETTINGS:
        this.guard.cheap(this.now);
        return this.#onSettings(flags, payload);
      case FrameType.PING: {
        const ack = (flags & Flag.ACK) !== 0;
        if (!ack) this.guard.cheap(this.now);
        return receiver.onPing(payload, ack);
      }
      case FrameType.GOAWAY:
        this.guard.cheap(this.now);
        if (payload.length < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'GOAWAY is too short.');
        return receiver.onGoAway(payload.readUInt32BE(0) & max31Bits, payload.readUInt32BE(4));
      case FrameType.WINDOW_UPDATE:
        this.guard.cheap(this.now);
        return this.#onWindowUpdate(id, payload.readUInt32BE(0) & max31Bits);
      case FrameType.PUSH_PROMISE:
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'Nobody may push here.');
      default:
        // Priorities and what we do not know are ignored (RFC 9113 §5.3.2, §5.5), but not for ever.
        this.guard.cheap(this.now);
    }
  }

  #onBlock(block: HeaderBlock | undefined): void {
    if (!block) return;
    const fields = this.#decoder.decode(block.bytes);
    this.#receiver.onHeaders(block.streamId, fields, block.endStream, this.#decoder.tooLarge);
  }

  #onSettings(flags: number, payload: Buffer): void {
    if ((flags & Flag.ACK) === 0) return this.#receiver.onSettings(payload);
    if (payload.length > 0) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'An acknowledgement says something.');
  }

  #onWindowUpdate(id: number, bytes: number): void {
    if (bytes > 0) return this.#receiver.onWindowUpdate(id, bytes);
    const sentence = 'A WINDOW_UPDATE opens nothing.';
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, sentence);
    throw new StreamError(ErrorCode.PROTOCOL_ERROR, sentence);
  }
}
