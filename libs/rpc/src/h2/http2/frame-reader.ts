import { ConnectionError, ErrorCode, Flag, frameHeadBytes, FrameType, max31Bits } from './frames.js';

/** Takes one frame. The payload is a view of what was received, never a copy of a frame that came whole; it may be kept. */
export type FrameHandler = (type: number, flags: number, streamId: number, payload: Buffer) => void;

/** DATA longer than this is handed over as it comes, in bytes. */
const heldBytes = 2_048;

/**
 * Cuts what arrives into frames (RFC 9113 §4.1). Of a frame that has not come whole it holds at most the one, in a buffer
 * of just its size. A frame that is too long is refused by its head, before any of it is kept.
 *
 * Long DATA that comes in parts is handed over in as many frames, since that says the same; only the last of them ends the
 * stream. Nearly every frame of a long message is cut somewhere, and putting it together would be one copy more of all of it.
 */
export class FrameReader {
  readonly #maxPayload: number;
  readonly #handle: FrameHandler;
  readonly #head = Buffer.alloc(frameHeadBytes);
  #headLength = 0;
  /** The payload that is being put together, once its head is known. */
  #payload: Buffer | undefined;
  #payloadLength = 0;
  /** What is still to come of DATA whose head is known, and that is handed over as it comes. */
  #rest = 0;

  constructor(maxPayload: number, handle: FrameHandler) {
    this.#maxPayload = maxPayload;
    this.#handle = handle;
  }

  /** Whether a frame is waiting for its rest. */
  get partial(): boolean {
    return this.#headLength > 0;
  }

  /** @throws ConnectionError for a frame longer than allowed (RFC 9113 §4.2), and whatever the handler throws */
  push(chunk: Buffer): void {
    let at = 0;
    if (this.#rest > 0) at = this.#proceed(chunk);
    else if (this.#headLength > 0) at = this.#complete(chunk);
    while (chunk.length - at >= frameHeadBytes) {
      const length = this.#lengthOf(chunk, at);
      const start = at + frameHeadBytes;
      if (chunk.length - start < length) break;
      at = start + length;
      this.#emit(chunk, start - frameHeadBytes, chunk.subarray(start, at));
    }
    if (at < chunk.length) this.#complete(chunk.subarray(at));
  }

  /** Adds to the frame that is being put together, and hands it over when it is whole. Returns how much of `chunk` it took. */
  #complete(chunk: Buffer): number {
    let at = 0;
    if (this.#headLength < frameHeadBytes) {
      at = chunk.copy(this.#head, this.#headLength, 0, frameHeadBytes - this.#headLength);
      this.#headLength += at;
      if (this.#headLength < frameHeadBytes) return at;
    }
    if (this.#payload === undefined) {
      const length = this.#lengthOf(this.#head, 0);
      if (length > heldBytes && this.#head[3] === FrameType.DATA && (this.#head[4]! & Flag.PADDED) === 0) {
        this.#rest = length;
        return at + (at < chunk.length ? this.#proceed(chunk.subarray(at)) : 0);
      }
      this.#payload = Buffer.allocUnsafe(length);
    }
    const taken = chunk.copy(this.#payload, this.#payloadLength, at);
    this.#payloadLength += taken;
    if (this.#payloadLength < this.#payload.length) return at + taken;
    const payload = this.#payload;
    this.#payload = undefined;
    this.#payloadLength = 0;
    this.#headLength = 0;
    this.#emit(this.#head, 0, payload);
    return at + taken;
  }

  /** Hands over a part of DATA. Returns how much of `chunk` it took. */
  #proceed(chunk: Buffer): number {
    const taken = Math.min(this.#rest, chunk.length);
    this.#rest -= taken;
    const flags = this.#head[4]!;
    if (this.#rest === 0) this.#headLength = 0;
    else this.#head[4] = flags & ~Flag.END_STREAM;
    this.#emit(this.#head, 0, chunk.subarray(0, taken));
    this.#head[4] = flags;
    return taken;
  }

  #lengthOf(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (length > this.#maxPayload) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `A frame of ${length} bytes is longer than allowed.`);
    }
    return length;
  }

  #emit(head: Buffer, at: number, payload: Buffer): void {
    // The first bit of the id is reserved and ignored (§4.1).
    const id = ((head[at + 5]! << 24) | (head[at + 6]! << 16) | (head[at + 7]! << 8) | head[at + 8]!) & max31Bits;
    this.#handle(head[at + 3]!, head[at + 4]!, id, payload);
  }
}
