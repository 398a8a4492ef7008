import { Allowance } from './allowance.js';
import { ConnectionError, ErrorCode, Flag, FrameType } from './frames.js';

/** A stream that the peer ends sooner than this after it began was not meant to be answered, in milliseconds. */
const rapidMs = 50;
/** Frames that cost their sender next to nothing and us some work: PING, SETTINGS, PRIORITY, empty DATA and unknown ones. */
const cheapPerSecond = 200;
const cheapBurst = 1_000;
/** Streams that are ended rapidly, or by us for what the peer did wrong in them. */
const resetsPerSecond = 200;
const resetsBurst = 1_000;

/** The length that a frame of some types must have (RFC 9113 §6.3, §6.4, §6.7, §6.9). */
const fixedLengths = new Map<number, number>([
  [FrameType.PRIORITY, 5],
  [FrameType.RST_STREAM, 4],
  [FrameType.PING, 8],
  [FrameType.WINDOW_UPDATE, 4],
]);
const onConnection = new Set<number>([FrameType.SETTINGS, FrameType.PING, FrameType.GOAWAY]);
const onStream = new Set<number>([
  FrameType.DATA,
  FrameType.HEADERS,
  FrameType.PRIORITY,
  FrameType.RST_STREAM,
  FrameType.CONTINUATION,
]);

/** Keeps what a peer can make this process do in proportion to what the peer itself does. */
export class FrameGuard {
  readonly #cheap: Allowance;
  readonly #resets: Allowance;

  constructor(now: number) {
    this.#cheap = new Allowance(cheapPerSecond, cheapBurst, now);
    this.#resets = new Allowance(resetsPerSecond, resetsBurst, now);
  }

  /** Checks what can be told from a frame alone. @throws ConnectionError */
  check(type: number, streamId: number, length: number): void {
    if (streamId === 0 ? onStream.has(type) : onConnection.has(type)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `A frame of type ${type} cannot be on stream ${streamId}.`);
    }
    const fixed = fixedLengths.get(type);
    if (fixed !== undefined && fixed !== length) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `A frame of type ${type} has ${length} bytes.`);
    }
  }

  /** A cheap frame came. @throws ConnectionError when there are too many (CVE-2019-9512, -9515, -9518) */
  cheap(now: number): void {
    if (!this.#cheap.take(now)) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'Too many control frames.');
  }

  /** DATA was sent, for which window updates are due. */
  dataSent(frames: number): void {
    this.#cheap.earn(2 * frames);
  }

  /** The peer ended a stream. @throws ConnectionError when it does little else ("rapid reset", CVE-2023-44487) */
  resetByPeer(openedAt: number, now: number): void {
    if (now - openedAt < rapidMs) this.resetByUs(now);
  }

  /** We ended a stream, for what the peer did. @throws ConnectionError when there are too many ("made you reset", CVE-2025-8671) */
  resetByUs(now: number): void {
    if (!this.#resets.take(now)) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'Too many resets.');
  }
}

/**
 * The content of a frame that may be padded (RFC 9113 §6.1, §6.2), without the priority that HEADERS may carry.
 * @throws ConnectionError where the padding is as long as the frame
 */
export function contentOf(type: number, flags: number, payload: Buffer): Buffer {
  if ((flags & (Flag.PADDED | Flag.PRIORITY)) === 0) return payload;
  let start = 0;
  let padding = 0;
  if ((flags & Flag.PADDED) !== 0) padding = payload[start++] ?? payload.length;
  if (type === FrameType.HEADERS && (flags & Flag.PRIORITY) !== 0) start += 5;
  if (start + padding > payload.length) {
    throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'A frame is all padding and more.');
  }
  return payload.subarray(start, payload.length - padding);
}
