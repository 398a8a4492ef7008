/** The frame types (RFC 9113 §6). */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

/** The flags of the frames (RFC 9113 §6). */
export const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** Error codes of RST_STREAM and GOAWAY (RFC 9113 §7). */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

const errorNames = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** `CANCEL`, or the number where there is no name for it. */
export function errorName(code: number): string {
  return errorNames.get(code) ?? String(code);
}

/** What a client sends first (RFC 9113 §3.4). */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Bytes before the payload of each frame (RFC 9113 §4.1). */
export const frameHeadBytes = 9;
/** The longest payload that everybody takes, and the longest that we take, in bytes (RFC 9113 §4.2). */
export const defaultMaxFrame = 16_384;
/** The highest stream id, and the largest window (RFC 9113 §5.1.1, §6.9.1). */
export const max31Bits = 0x7fff_ffff;

/** The peer broke the protocol in a way that leaves no common state: the connection ends by GOAWAY (RFC 9113 §5.4.1). */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** @param code one of {@link ErrorCode} */
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** The peer broke the protocol in one stream: that stream ends by RST_STREAM (RFC 9113 §5.4.2). */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  /** @param code one of {@link ErrorCode} */
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}
