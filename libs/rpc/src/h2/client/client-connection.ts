import type { Socket } from 'node:net';
import type { Fields } from '../hpack/hpack-decoder.js';
import { Connection, type ConnectionOptions } from '../http2/connection.js';
import { ConnectionError, ErrorCode, max31Bits, preface } from '../http2/frames.js';
import { Setting } from '../http2/settings.js';
import type { Stream } from '../http2/stream.js';
import { CachedBlock } from '../grpc/cached-block.js';
import { acceptedEncodings } from '../grpc/compression.js';

/** What a connection tells whoever made it. */
export interface ConnectionOwner {
  /** The peer has said what it wants: calls may go out. Also when it says something new. */
  onReady(connection: ClientConnection): void;
  /** The peer takes no new calls. */
  onGoingAway(connection: ClientConnection): void;
  /** Another stream may open. */
  onRoom(): void;
  onEnded(connection: ClientConnection, error: Error): void;
}

export type ClientConnectionOptions = Omit<ConnectionOptions, 'settings'> & {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
};

/** The calling end of a connection: it opens the streams (RFC 9113 §5.1.1). */
export class ClientConnection extends Connection {
  readonly #owner: ConnectionOwner;
  readonly #scheme: string;
  readonly #authority: string;
  /** What is always the same in the headers of a method. */
  readonly #requests = new Map<string, CachedBlock>();
  /** Whether the peer has said that it reads gzip: known with its first answer. */
  acceptsGzip = false;
  #nextId = 1;
  #ready = false;
  #goingAway = false;
  /** The last stream that the peer acts on, once it has said so. */
  #lastProcessed = Infinity;

  protected readonly lastPeerId = 0;

  constructor(socket: Socket, owner: ConnectionOwner, { scheme, authority, ...options }: ClientConnectionOptions) {
    super(socket, { ...options, settings: [[Setting.ENABLE_PUSH, 0]] });
    this.#owner = owner;
    this.#scheme = scheme;
    this.#authority = authority;
    socket.write(preface);
    this.start();
  }

  /** Whether a stream may open now. */
  get room(): boolean {
    return this.#ready && !this.#goingAway && !this.ended && this.size < this.peer.maxConcurrentStreams;
  }

  /** Opens a stream. Its headers must follow at once, before those of any other (RFC 9113 §5.1.1). */
  open(stream: Stream): void {
    this.add(stream, this.#nextId);
    this.#nextId += 2;
    if (this.#nextId > max31Bits) this.retire();
  }

  /** Starts the header block of a request for `path`. */
  beginRequest(path: string): void {
    let block = this.#requests.get(path);
    if (!block) {
      block = new CachedBlock((encoder) => {
        encoder.stable(':method', 'POST');
        encoder.stable(':scheme', this.#scheme);
        encoder.stable(':path', path);
        encoder.stable(':authority', this.#authority);
        encoder.stable('te', 'trailers');
        encoder.stable('content-type', 'application/grpc');
        encoder.stable('grpc-accept-encoding', acceptedEncodings);
        encoder.stable('user-agent', 'grpc-node-holdfast/0.1');
      });
      this.#requests.set(path, block);
    }
    block.begin(this.encoder);
  }

  /** Takes no new streams, and closes when those that are open have ended. */
  retire(): void {
    if (this.#goingAway) return;
    this.#goingAway = true;
    this.#owner.onGoingAway(this);
    this.onRemoved();
  }

  onGoAway(lastId: number, code: number): void {
    this.#lastProcessed = Math.min(this.#lastProcessed, lastId);
    const error = new Error(code === ErrorCode.NO_ERROR ? 'the peer is going away' : `the peer ends it by ${code}`);
    this.dropWhere((stream) => this.isUnprocessed(stream), error);
    this.retire();
  }

  protected framesIn(chunk: Buffer): Buffer {
    return chunk;
  }

  protected isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.#nextId;
  }

  protected onNewStream(_id: number, _fields: Fields): void {
    throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'A server opened a stream.');
  }

  protected onPeerSettings(): void {
    this.#ready = true;
    this.#owner.onReady(this);
  }

  protected onRemoved(): void {
    if (!this.#goingAway) this.#owner.onRoom();
    else if (this.size === 0) this.end(ErrorCode.NO_ERROR, new Error('it has done its work'));
  }

  protected onEnded(error: Error): void {
    this.#owner.onEnded(this, error);
  }

  protected isUnprocessed(stream: Stream): boolean {
    return stream.id > this.#lastProcessed;
  }
}
