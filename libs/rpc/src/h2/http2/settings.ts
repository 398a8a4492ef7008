import { ConnectionError, defaultMaxFrame, ErrorCode, max31Bits } from './frames.js';

/** What a peer asks us to respect (RFC 9113 §6.5.2), with the protocol's defaults. */
export interface PeerSettings {
  headerTableSize: number;
  maxConcurrentStreams: number;
  initialWindow: number;
  maxFrame: number;
  maxHeaderList: number;
}

export const defaultPeerSettings: Readonly<PeerSettings> = {
  headerTableSize: 4_096,
  maxConcurrentStreams: Infinity,
  initialWindow: 65_535,
  maxFrame: defaultMaxFrame,
  maxHeaderList: Infinity,
};

/** Ids of the settings (RFC 9113 §6.5.2). */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

const entryBytes = 6;
/** More entries than this in one frame are no settings but an attempt to keep us busy. */
const maxEntries = 32;

/** The payload of a SETTINGS frame. */
export function encodeSettings(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * entryBytes);
  settings.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * entryBytes);
    payload.writeUInt32BE(value, index * entryBytes + 2);
  });
  return payload;
}

/**
 * `settings` with what the payload changes. Unknown ids are ignored, as RFC 9113 §6.5.2 asks.
 * @throws ConnectionError for values that are not allowed
 */
export function applySettings(settings: Readonly<PeerSettings>, payload: Buffer): PeerSettings {
  if (payload.length % entryBytes !== 0) {
    throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS has half an entry.');
  }
  if (payload.length > maxEntries * entryBytes) {
    throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'SETTINGS has too many entries.');
  }
  const next = { ...settings };
  for (let at = 0; at < payload.length; at += entryBytes) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case Setting.HEADER_TABLE_SIZE:
        next.headerTableSize = value;
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'ENABLE_PUSH is neither 0 nor 1.');
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        next.maxConcurrentStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > max31Bits) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'The window is too large.');
        next.initialWindow = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < defaultMaxFrame || value > 0xff_ffff) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'MAX_FRAME_SIZE is out of its range.');
        }
        next.maxFrame = value;
        break;
      case Setting.MAX_HEADER_LIST_SIZE:
        next.maxHeaderList = value;
        break;
    }
  }
  return next;
}
