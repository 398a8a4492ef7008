import { connect, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { HpackDecoder, type Fields } from '../h2/hpack/hpack-decoder.js';
import { HpackEncoder } from '../h2/hpack/hpack-encoder.js';
import { FrameReader } from '../h2/http2/frame-reader.js';
import { errorName, Flag, FrameType, preface } from '../h2/http2/frames.js';

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Bytes of one frame, whatever is in it. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A gRPC message in its frame of five bytes. */
export function message(bytes: Uint8Array, flag = 0): Buffer {
  return Buffer.concat([Buffer.from([flag]), uint32(bytes.length), bytes]);
}

/** The other end of a connection, frame by frame, which does whatever a test tells it, allowed or not. */
export class RawPeer {
  readonly seen: SeenFrame[] = [];
  readonly socket: Socket;
  closed = false;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(65_536);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    const reader = new FrameReader(0xff_ffff, (type, flags, streamId, payload) => {
      this.seen.push({ type, flags, streamId, payload: Buffer.from(payload) });
    });
    let skip = 0;
    socket.on('data', (chunk: Buffer) => {
      if (this.isServer && skip < preface.length) {
        const skipped = Math.min(preface.length - skip, chunk.length);
        skip += skipped;
        reader.push(chunk.subarray(skipped));
      } else reader.push(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
    onTestFinished(() => void socket.destroy());
  }

  /** True where it plays the server. */
  isServer = false;

  /** A client that has said its preface and settings. */
  static async to(port: number, settings: Uint8Array = Buffer.alloc(0)): Promise<RawPeer> {
    const peer = await RawPeer.silent(port);
    peer.write(preface, frame(FrameType.SETTINGS, 0, 0, settings));
    return peer;
  }

  /** A client that has said nothing yet. */
  static async silent(port: number): Promise<RawPeer> {
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    return new RawPeer(socket);
  }

  write(...bytes: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes));
  }

  /** A block of fields: name, value, name, value, … No table is used, so that blocks may be left out. */
  block(fields: Fields): Buffer {
    this.#encoder.begin();
    for (let at = 0; at < fields.length; at += 2) this.#encoder.secret(fields[at]!, fields[at + 1]!);
    return Buffer.from(this.#encoder.end());
  }

  /** The headers of a call; `more` may break them. */
  request(path: string, more: Fields = []): Buffer {
    const pseudo = [':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'here'];
    return this.block([...pseudo, 'te', 'trailers', 'content-type', 'application/grpc', ...more]);
  }

  /** A whole unary call. */
  call(streamId: number, path: string, request: Uint8Array): Buffer {
    return Buffer.concat([
      frame(FrameType.HEADERS, Flag.END_HEADERS, streamId, this.request(path)),
      frame(FrameType.DATA, Flag.END_STREAM, streamId, message(request)),
    ]);
  }

  /** The fields of every header block that came on the stream, in order. Blocks must be looked at once and all. */
  fields(): Map<number, string[]> {
    const result = new Map<number, string[]>();
    for (const { type, streamId, payload } of this.seen) {
      if (type !== FrameType.HEADERS) continue;
      result.set(streamId, [...(result.get(streamId) ?? []), ...this.#decoder.decode(payload)]);
    }
    return result;
  }

  /** The name of the error by which the other end said good-bye; undefined while it has not. */
  get goAway(): string | undefined {
    const last = this.seen.findLast(({ type }) => type === FrameType.GOAWAY);
    return last && errorName(last.payload.readUInt32BE(4));
  }

  /** The name of the error by which the other end ended a stream. */
  resetOf(streamId: number): string | undefined {
    const found = this.seen.find((one) => one.type === FrameType.RST_STREAM && one.streamId === streamId);
    return found && errorName(found.payload.readUInt32BE(0));
  }

  /** Waits until the other end has given up on us and closed, and gives the name of the error. */
  async farewell(): Promise<string | undefined> {
    await expect.poll(() => this.goAway, { timeout: 4_000 }).toBeDefined();
    this.socket.end();
    await expect.poll(() => this.closed).toBe(true);
    return this.goAway;
  }
}
