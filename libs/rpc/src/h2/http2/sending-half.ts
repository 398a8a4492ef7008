import type { Socket } from 'node:net';
import type { Clock } from '@holdfast/core';
import { pack } from '../grpc/compression.js';
import { HpackEncoder } from '../hpack/hpack-encoder.js';
import { ConnectionWindow } from './connection-window.js';
import { Flag, FrameType } from './frames.js';
import { Outbox } from './outbox.js';
import { SendQueue } from './send-queue.js';
import { defaultPeerSettings, type PeerSettings } from './settings.js';
import type { Stream } from './stream.js';
import { StreamTable } from './stream-table.js';

/** How long the last words may take to leave, in milliseconds. */
const lastWordsMs = 1_000;
const nothing = Buffer.alloc(0);

/** The sending half of a connection, and its end: what streams and their calls can do with it. */
export abstract class SendingHalf {
  readonly clock: Clock;
  readonly encoder = new HpackEncoder();
  protected readonly socket: Socket;
  protected readonly outbox: Outbox;
  protected readonly sends: SendQueue;
  protected readonly streams = new StreamTable();
  protected readonly window = new ConnectionWindow((bytes) => this.outbox.number(FrameType.WINDOW_UPDATE, 0, bytes));
  /** What the peer asks us to respect. */
  peer: Readonly<PeerSettings> = defaultPeerSettings;
  #ended = false;

  constructor(socket: Socket, clock: Clock) {
    this.socket = socket;
    this.clock = clock;
    this.outbox = new Outbox(socket);
    this.sends = new SendQueue(this.outbox, this.peer, (stream) => this.#onSent(stream));
    socket.on('drain', () => this.sends.pump());
    socket.on('error', (error) => this.lose(error));
    socket.on('close', () => this.lose(new Error('it was closed')));
  }

  /** Whether nothing comes or goes any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** How many streams are open. */
  get size(): number {
    return this.streams.size;
  }

  /** The streams that are open. */
  get openStreams(): readonly Stream[] {
    return this.streams.list();
  }

  /** Something that grows with what the peer takes of messages; answers to its pings do not count. */
  get sent(): number {
    return this.sends.frames;
  }

  /** How much waits for the peer to take it, in bytes. */
  get unsent(): number {
    return this.sends.queued + this.outbox.unsent;
  }

  /** How much was received and waits for somebody here to take it, in bytes. */
  get untaken(): number {
    return this.window.held;
  }

  /** Sends a header block that the encoder has just ended. */
  sendHeaders(stream: Stream, block: Buffer, endStream: boolean): void {
    stream.happened('sendHeaders');
    this.outbox.headers(stream.id, block, endStream, this.peer.maxFrame);
    if (endStream) this.#endLocal(stream);
  }

  /** Sends a message. @returns false where it has to wait; the stream's `onSent` follows */
  sendMessage(stream: Stream, message: Buffer, endStream: boolean): boolean {
    stream.happened('sendData');
    const packed = stream.packs ? pack(message) : undefined;
    const sent = this.sends.send(stream, packed ?? message, packed !== undefined, endStream);
    if (sent && endStream) this.#endLocal(stream);
    return sent;
  }

  /** Ends our side with nothing more. */
  sendEnd(stream: Stream): void {
    this.outbox.frame(FrameType.DATA, Flag.END_STREAM, stream.id, nothing);
    this.#endLocal(stream);
  }

  /** Ends the stream now, for both sides. Frames of it that are on their way are ignored. */
  reset(stream: Stream, code: number): void {
    if (stream.closed || stream.id === 0 || this.#ended) return;
    stream.happened('sendReset');
    this.outbox.number(FrameType.RST_STREAM, stream.id, code);
    this.streams.rememberReset(stream.id);
    this.remove(stream);
  }

  /** Tells that `bytes` of what the stream received are taken, so that the peer may send more. */
  taken(stream: Stream, bytes: number): void {
    // What a stream held when it closed was taken then.
    if (stream.held < bytes) return;
    stream.held -= bytes;
    this.window.take(bytes);
    if (stream.state === 'halfRemote') return;
    const grant = stream.receiveWindow.take(bytes);
    if (grant > 0) this.outbox.number(FrameType.WINDOW_UPDATE, stream.id, grant);
  }

  ping(payload: Buffer = Buffer.alloc(8)): void {
    this.outbox.frame(FrameType.PING, 0, 0, payload);
  }

  /** @param lastId the last stream of the peer that was or may be acted on (RFC 9113 §6.8) */
  goAway(lastId: number, code: number, reason = ''): void {
    const payload = Buffer.alloc(8 + reason.length);
    payload.writeUInt32BE(lastId, 0);
    payload.writeUInt32BE(code, 4);
    payload.write(reason, 8, 'latin1');
    this.outbox.frame(FrameType.GOAWAY, 0, 0, payload);
  }

  /** Says good-bye and closes; streams that are left are lost. */
  end(code: number, error: Error): void {
    if (this.#ended) return;
    this.goAway(this.lastPeerId, code, error.message.slice(0, 100));
    this.lose(error);
  }

  /** The highest stream that the peer has opened; 0 where it opens none. */
  protected abstract readonly lastPeerId: number;
  /** A stream ended. */
  protected abstract onRemoved(): void;
  /** Nothing comes or goes any more. Called once, after every stream was told. */
  protected abstract onEnded(error: Error): void;
  /** Whether the peer certainly never acted on a stream that is lost now. */
  protected abstract isUnprocessed(stream: Stream): boolean;

  protected endRemote(stream: Stream): void {
    stream.happened('receiveEnd');
    if (stream.closed) this.remove(stream);
  }

  /** Forgets a stream that is closed. */
  protected remove(stream: Stream): void {
    this.streams.remove(stream.id);
    this.sends.forget(stream);
    this.window.take(stream.held);
    stream.held = 0;
    this.onRemoved();
  }

  /** Ends the streams that `test` names, as lost. */
  protected dropWhere(test: (stream: Stream) => boolean, error: Error): void {
    for (const stream of this.streams.list()) {
      if (!test(stream)) continue;
      stream.state = 'closed';
      this.remove(stream);
      stream.onLost(error, this.isUnprocessed(stream));
    }
  }

  /** The connection is over, whoever ended it. */
  protected lose(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.outbox.flush();
    this.socket.end();
    const timer = this.clock.after(lastWordsMs, () => this.socket.destroy());
    this.socket.once('close', () => timer.cancel());
    this.dropWhere(() => true, error);
    this.onEnded(error);
  }

  #onSent(stream: Stream): void {
    if (stream.endsAfterUnsent) this.#endLocal(stream);
    if (!stream.closed) stream.onSent();
  }

  #endLocal(stream: Stream): void {
    stream.happened('sendEnd');
    if (stream.closed) this.remove(stream);
  }
}
