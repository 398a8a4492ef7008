import { ConnectionError, ErrorCode, Flag } from './frames.js';

/** A header block that is whole. */
export interface HeaderBlock {
  readonly streamId: number;
  readonly bytes: Buffer;
  readonly endStream: boolean;
}

/** A block may come in so many frames at most: more of them are no headers but an attempt to keep us busy. */
const maxFrames = 16;

/**
 * Puts header blocks together: HEADERS, then CONTINUATION until END_HEADERS, with nothing in between (RFC 9113 §4.3, §6.10).
 * What does not fit ends the connection, since a block that was not read leaves no common table.
 */
export class HeaderAssembly {
  readonly #maxBytes: number;
  #streamId = 0;
  #endStream = false;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes the longest block, as it travels */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the next frame must be a CONTINUATION. */
  get pending(): boolean {
    return this.#streamId !== 0;
  }

  /** A HEADERS frame without its padding and priority. Returns the block if that was all of it. */
  start(streamId: number, flags: number, fragment: Buffer): HeaderBlock | undefined {
    this.#limit(fragment.length, 1);
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return { streamId, bytes: fragment, endStream };
    this.#streamId = streamId;
    this.#endStream = endStream;
    this.#parts = [fragment];
    this.#bytes = fragment.length;
    return undefined;
  }

  /** A CONTINUATION frame. */
  proceed(streamId: number, flags: number, fragment: Buffer): HeaderBlock | undefined {
    if (streamId !== this.#streamId || streamId === 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'A CONTINUATION continues nothing.');
    }
    this.#parts.push(fragment);
    this.#bytes += fragment.length;
    this.#limit(this.#bytes, this.#parts.length);
    if ((flags & Flag.END_HEADERS) === 0) return undefined;
    const block = { streamId, bytes: Buffer.concat(this.#parts, this.#bytes), endStream: this.#endStream };
    this.#streamId = 0;
    this.#parts = [];
    return block;
  }

  #limit(bytes: number, frames: number): void {
    if (bytes <= this.#maxBytes && frames <= maxFrames) return;
    throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `Headers of more than ${this.#maxBytes} bytes.`);
  }
}
