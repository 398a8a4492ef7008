import type { Socket } from 'node:net';
import type { Clock } from '@holdfast/core';
import { Logger } from '@nestjs/common';
import type { Keepalive } from '../../transport-options.js';
import type { Fields } from '../hpack/hpack-decoder.js';
import { HpackError } from '../hpack/hpack-error.js';
import { connectionWindowBytes } from './connection-window.js';
import { ConnectionError, ErrorCode, Flag, FrameType } from './frames.js';
import { Heartbeat, type Signs } from './heartbeat.js';
import { Inbound, maxHeaderListBytes, type Receiver } from './inbound.js';
import { SendingHalf } from './sending-half.js';
import { applySettings, encodeSettings, Setting } from './settings.js';
import { streamWindowBytes, type Stream } from './stream.js';
import { after } from './stream-state.js';

const logger = new Logger('H2Connection');
const nothing = Buffer.alloc(0);

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly keepalive: Keepalive;
  /** What to announce beside the windows and the limit of headers. */
  readonly settings: readonly (readonly [id: number, value: number])[];
}

/**
 * One end of an HTTP/2 connection (RFC 9113) over a socket that is connected. What both ends have in common is here; who
 * may open streams, and what a stream is, is its subclasses' business.
 */
export abstract class Connection extends SendingHalf implements Receiver, Signs {
  protected readonly inbound: Inbound;
  readonly #ownSettings: Buffer;
  readonly #heartbeat: Heartbeat;
  #settled = false;
  #framesEarned = 0;

  constructor(socket: Socket, { clock, keepalive, settings }: ConnectionOptions) {
    super(socket, clock);
    this.inbound = new Inbound(this, clock.now());
    const window = [Setting.INITIAL_WINDOW_SIZE, streamWindowBytes] as const;
    this.#ownSettings = encodeSettings([...settings, window, [Setting.MAX_HEADER_LIST_SIZE, maxHeaderListBytes]]);
    this.#heartbeat = new Heartbeat(clock, keepalive, this);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  get received(): number {
    return this.inbound.bytes;
  }

  get framesReceived(): number {
    return this.inbound.frames;
  }

  get partial(): boolean {
    return this.inbound.partial;
  }

  /** Sends our settings: after the preface of a client, first thing of a server (RFC 9113 §3.4). */
  start(): void {
    this.outbox.frame(FrameType.SETTINGS, 0, 0, this.#ownSettings);
    this.outbox.number(FrameType.WINDOW_UPDATE, 0, connectionWindowBytes - 65_535);
    this.outbox.flush();
    this.#heartbeat.start();
  }

  /** A sign of the heartbeat: there is no point in waiting for this peer. */
  dead(reason: string): void {
    this.end(ErrorCode.ENHANCE_YOUR_CALM, new Error(reason));
  }

  onHeaders(id: number, fields: Fields, endStream: boolean, tooLarge: boolean): void {
    const stream = this.streams.get(id);
    if (!stream) {
      if (this.isIdle(id)) this.onNewStream(id, fields, endStream, tooLarge);
      else if (!this.streams.wasReset(id)) after('closed', 'receiveHeaders');
      return;
    }
    stream.happened('receiveHeaders');
    if (endStream) this.endRemote(stream);
    stream.onHeaders(fields, endStream, tooLarge);
  }

  onData(id: number, data: Buffer, size: number, endStream: boolean): void {
    const stream = this.streams.get(id);
    this.window.receive(size);
    if (!stream) {
      this.window.take(size);
      if (!this.streams.wasReset(id)) after(this.isIdle(id) ? 'idle' : 'closed', 'receiveData');
      return;
    }
    stream.held += size;
    stream.happened('receiveData');
    stream.receiveWindow.receive(size, 'stream');
    if (size > data.length) this.taken(stream, size - data.length);
    if (endStream) this.endRemote(stream);
    stream.onData(data, endStream);
  }

  onReset(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (!stream) {
      if (this.isIdle(id)) after('idle', 'receiveReset');
      return this.inbound.guard.cheap(this.inbound.now);
    }
    stream.happened('receiveReset');
    this.remove(stream);
    stream.onReset(code);
    this.inbound.guard.resetByPeer(stream.openedAt, this.inbound.now);
  }

  onStreamError(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (stream) {
      this.reset(stream, code);
      return stream.onReset(code);
    }
    this.outbox.number(FrameType.RST_STREAM, id, code);
    this.streams.rememberReset(id);
  }

  onSettings(payload: Buffer): void {
    const before = this.peer;
    this.peer = applySettings(before, payload);
    this.sends.settings = this.peer;
    if (this.peer.headerTableSize !== before.headerTableSize) this.encoder.resize(this.peer.headerTableSize);
    this.sends.grantAll(this.streams.list(), this.peer.initialWindow - before.initialWindow);
    this.outbox.frame(FrameType.SETTINGS, Flag.ACK, 0, nothing);
    const first = !this.#settled;
    this.#settled = true;
    this.onPeerSettings(first);
  }

  onPing(payload: Buffer, ack: boolean): void {
    if (!ack) this.outbox.frame(FrameType.PING, Flag.ACK, 0, payload);
  }

  onWindowUpdate(id: number, bytes: number): void {
    // Each DATA frame earns its peer the updates that follow from it.
    this.inbound.guard.dataSent(this.sends.frames - this.#framesEarned);
    this.#framesEarned = this.sends.frames;
    if (id === 0) return this.sends.grantConnection(bytes);
    const stream = this.streams.get(id);
    if (stream) this.sends.grantStream(stream, bytes);
    else if (this.isIdle(id)) after('idle', 'receiveWindowUpdate');
  }

  abstract onGoAway(lastId: number, code: number): void;

  /** What of the bytes that came are frames: all, but for what a client says first. @throws ConnectionError */
  protected abstract framesIn(chunk: Buffer): Buffer;
  /** Whether the stream is one that was never opened. */
  protected abstract isIdle(streamId: number): boolean;
  /** Headers for a stream that was never opened. @throws ConnectionError, StreamError */
  protected abstract onNewStream(id: number, fields: Fields, endStream: boolean, tooLarge: boolean): void;
  /** The peer has said what it wants. */
  protected abstract onPeerSettings(first: boolean): void;

  /** A stream is open from now on. */
  protected add(stream: Stream, id: number): void {
    stream.id = id;
    stream.openedAt = this.inbound.now;
    stream.sendWindow = this.peer.initialWindow;
    this.streams.add(stream);
  }

  protected override lose(error: Error): void {
    this.#heartbeat.stop();
    super.lose(error);
  }

  #receive(chunk: Buffer): void {
    if (this.ended) return;
    try {
      const frames = this.framesIn(chunk);
      if (frames.length > 0) this.inbound.push(frames, this.clock.now());
    } catch (error) {
      if (error instanceof ConnectionError) return this.end(error.code, error);
      if (error instanceof HpackError) return this.end(ErrorCode.COMPRESSION_ERROR, error);
      // A defect of ours: it costs this connection, and somebody must hear of it.
      const { message, stack } = error as Error;
      logger.error(message, stack);
      this.end(ErrorCode.INTERNAL_ERROR, new Error('an internal error'));
    }
  }
}
