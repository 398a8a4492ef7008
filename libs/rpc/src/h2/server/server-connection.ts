import type { Socket } from 'node:net';
import type { Timer } from '@holdfast/core';
import type { Fields } from '../hpack/hpack-decoder.js';
import { CachedBlock } from '../grpc/cached-block.js';
import { acceptedEncodings } from '../grpc/compression.js';
import { isWellFormed } from '../grpc/fields.js';
import { Connection, type ConnectionOptions } from '../http2/connection.js';
import { ConnectionError, ErrorCode, max31Bits, preface, StreamError } from '../http2/frames.js';
import { Setting } from '../http2/settings.js';
import type { Stream } from '../http2/stream.js';

/** How long a caller may take to say its preface and settings, in milliseconds. */
const handshakeMs = 5_000;
/** How long a caller may take to answer the ping after which no new streams are expected, in milliseconds. */
const farewellMs = 1_000;
/** While so much waits for a caller to take it, there are no more answers to be made for it, in bytes. */
const maxUnsentBytes = 67_108_864;
const farewell = Buffer.from('farewell');
const requestPseudo = [':method', ':scheme', ':path', ':authority'] as const;

/** Who deals with the requests of a connection. */
export interface ConnectionHost {
  /** The stream for a request whose headers are well-formed, not yet told of them. */
  accept(connection: ServerConnection): Stream;
  onEnded(connection: ServerConnection): void;
}

export type ServerConnectionOptions = Omit<ConnectionOptions, 'settings'> & {
  readonly maxConcurrentStreams: number;
  /** @default none */
  readonly maxAgeMs: number | undefined;
};

/** The serving end of a connection: the peer opens the streams. */
export class ServerConnection extends Connection {
  readonly peerAddress: string;
  /** The start of every answer, and the end of every one that is good. */
  readonly answerHeaders = new CachedBlock((encoder) => {
    encoder.stable(':status', '200');
    encoder.stable('content-type', 'application/grpc');
    encoder.stable('grpc-accept-encoding', acceptedEncodings);
  });
  readonly goodTrailers = new CachedBlock((encoder) => encoder.stable('grpc-status', '0'));
  readonly #host: ConnectionHost;
  readonly #maxStreams: number;
  #lastPeerId = 0;
  /** How much of the preface has come. */
  #prefaceLength = 0;
  /** Streams above this one come too late. */
  #lastAccepted = max31Bits;
  #draining = false;
  #timer: Timer | undefined;
  readonly #age: Timer | undefined;

  constructor(socket: Socket, host: ConnectionHost, options: ServerConnectionOptions) {
    const { maxConcurrentStreams, maxAgeMs, ...rest } = options;
    super(socket, { ...rest, settings: [[Setting.MAX_CONCURRENT_STREAMS, maxConcurrentStreams]] });
    this.#host = host;
    this.#maxStreams = maxConcurrentStreams;
    this.peerAddress = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    this.#timer = this.clock.after(handshakeMs, () => this.end(ErrorCode.SETTINGS_TIMEOUT, new Error('no settings')));
    // Spread, so that callers who came together do not leave together.
    if (maxAgeMs !== undefined)
      this.#age = this.clock.after(maxAgeMs * (0.9 + 0.2 * Math.random()), () => this.drain());
    this.start();
  }

  /**
   * Asks the peer for no more calls and closes when those that run have ended. In two steps, so that no call which is on
   * its way is lost: the last one is named only when the peer must have heard (RFC 9113 §6.8).
   */
  drain(): void {
    if (this.#draining || this.ended) return;
    this.#draining = true;
    this.goAway(max31Bits, ErrorCode.NO_ERROR);
    this.ping(farewell);
    this.#timer?.cancel();
    this.#timer = this.clock.after(farewellMs, () => this.#endDrain());
  }

  override onPing(payload: Buffer, ack: boolean): void {
    if (ack && this.#draining && payload.equals(farewell)) this.#endDrain();
    else super.onPing(payload, ack);
  }

  onGoAway(): void {
    // A client that leaves opens no more streams; those that are open get their answers.
  }

  protected get lastPeerId(): number {
    return this.#lastPeerId;
  }

  protected framesIn(chunk: Buffer): Buffer {
    if (this.#prefaceLength === preface.length) return chunk;
    const length = Math.min(preface.length - this.#prefaceLength, chunk.length);
    if (preface.compare(chunk, 0, length, this.#prefaceLength, this.#prefaceLength + length) !== 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'This port speaks HTTP/2 without an upgrade.');
    }
    this.#prefaceLength += length;
    return chunk.subarray(length);
  }

  protected isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#lastPeerId;
  }

  protected onNewStream(id: number, fields: Fields, endStream: boolean, tooLarge: boolean): void {
    if (id % 2 === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'A client opened a stream of even number.');
    this.#lastPeerId = id;
    // The caller will learn of it from GOAWAY.
    if (id > this.#lastAccepted) return this.streams.rememberReset(id);
    if (this.size >= this.#maxStreams) throw new StreamError(ErrorCode.REFUSED_STREAM, 'Too many streams are open.');
    if (this.unsent > maxUnsentBytes) throw new StreamError(ErrorCode.REFUSED_STREAM, 'Too many answers wait.');
    if (!tooLarge && !isRequest(fields)) throw new StreamError(ErrorCode.PROTOCOL_ERROR, 'The headers are malformed.');
    const stream = this.#host.accept(this);
    stream.happened('receiveHeaders');
    this.add(stream, id);
    if (endStream) stream.happened('receiveEnd');
    stream.onHeaders(fields, endStream, tooLarge);
  }

  protected onPeerSettings(first: boolean): void {
    if (first && !this.#draining) this.#timer?.cancel();
  }

  protected onRemoved(): void {
    if (this.#lastAccepted !== max31Bits) this.#endWhenIdle();
  }

  protected onEnded(): void {
    this.#timer?.cancel();
    this.#age?.cancel();
    this.#host.onEnded(this);
  }

  protected isUnprocessed(): boolean {
    return false;
  }

  #endDrain(): void {
    if (this.#lastAccepted !== max31Bits || this.ended) return;
    this.#timer?.cancel();
    this.#lastAccepted = this.#lastPeerId;
    this.goAway(this.#lastAccepted, ErrorCode.NO_ERROR);
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (this.size === 0) this.end(ErrorCode.NO_ERROR, new Error('the server is leaving'));
  }
}

/** RFC 9113 §8.3.1 */
function isRequest(fields: Fields): boolean {
  if (!isWellFormed(fields, requestPseudo)) return false;
  let found = 0;
  for (let at = 0; at < fields.length && at < 8; at += 2) {
    const name = fields[at];
    if (name === ':method' || name === ':scheme' || (name === ':path' && fields[at + 1] !== '')) found++;
  }
  return found === 3;
}
