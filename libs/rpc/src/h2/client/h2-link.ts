import type { Socket } from 'node:net';
import { AsyncResource } from 'node:async_hooks';
import { backoffDelay, Cell, until, type Clock, type Live, type Timer, type TimerWheel } from '@holdfast/core';
import type { RpcMethod } from '../../method.js';
import type { ClientTls, Compression, Keepalive } from '../../transport-options.js';
import { LinkFailure, type Link, type LinkState, type OutgoingCall } from '../../transport.js';
import { ErrorCode } from '../http2/frames.js';
import type { CallOwner, ClientCall } from './client-call.js';
import { ClientConnection, type ConnectionOwner } from './client-connection.js';
import { dial } from './dial.js';
import { StreamCall } from './stream-call.js';
import { UnaryCall } from './unary-call.js';

type AnyCall = ClientCall<unknown, unknown>;

/** A connection that lasted less than this, in milliseconds, counts as another failed attempt: the next one waits. */
const briefMs = 1_000;
/** How long a peer may take to accept a connection and say its settings, in milliseconds. */
const handshakeMs = 5_000;
/** More calls than this do not wait for a connection or a free stream: they fail at once. */
const maxWaiting = 10_000;

export interface H2LinkOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly tls: ClientTls | undefined;
  readonly keepalive: Keepalive;
  readonly compression: Compression;
  readonly maxMessageBytes: number;
  readonly maxReconnectMs: number;
}

/** The way to one peer over one connection at a time; one that the peer sends away lives on until its calls have ended. */
export class H2Link implements Link, CallOwner, ConnectionOwner {
  readonly address: string;
  readonly compression: Compression;
  readonly maxMessageBytes: number;
  readonly state: Live<LinkState>;
  readonly now: () => number;
  readonly #state = new Cell<LinkState>('idle');
  readonly #options: H2LinkOptions;
  /** How many calls are under way or wait. A Set of them would keep them all from being collected, as `StreamTable` tells. */
  #running = 0;
  /** Those of them that have no stream yet, in the order in which they came. */
  readonly #waiting = new Set<AnyCall>();
  readonly #connections = new Set<ClientConnection>();
  readonly #outside = new AsyncResource('H2Link');
  #current: ClientConnection | undefined;
  #socket: Socket | undefined;
  #timer: Timer | undefined;
  #readySince = 0;
  #failures = 0;
  #lastError = 'it was not tried yet';
  #drained: Promise<void> | undefined;

  constructor(address: string, options: H2LinkOptions) {
    this.address = address;
    this.compression = options.compression;
    this.maxMessageBytes = options.maxMessageBytes;
    this.state = this.#state;
    this.#options = options;
    this.now = () => options.clock.now();
  }

  /** How many calls are under way or wait. */
  get calls(): number {
    return this.#running;
  }

  connect(): void {
    if (this.#state.value === 'idle') this.#dial();
  }

  unary<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    call: OutgoingCall,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const unary = new UnaryCall(this, method, call, resolve, reject);
      if (unary.prepare(request)) this.#submit(unary as unknown as AnyCall);
    });
  }

  stream<Request, Response>(
    method: RpcMethod<Request, Response>,
    requests: AsyncIterable<Request> | Iterable<Request>,
    call: OutgoingCall,
  ): AsyncIterable<Response> {
    return new StreamCall(this, method, call, requests, (stream) => this.#submit(stream as unknown as AnyCall));
  }

  drain(): Promise<void> {
    if (this.#state.value === 'closed') return Promise.resolve();
    this.#drained ??= until(this.state, (state) => state === 'closed').then(() => undefined);
    if (this.#running === 0) this.close();
    return this.#drained;
  }

  close(): void {
    if (this.#state.value === 'closed') return;
    this.#state.set('closed');
    this.#timer?.cancel();
    this.#socket?.destroy();
    this.#failWaiting();
    const error = new Error('the link was closed');
    for (const connection of this.#connections) connection.end(ErrorCode.NO_ERROR, error);
  }

  over(call: AnyCall): void {
    this.#options.wheel.remove(call);
    if (!call.submitted) return;
    this.#running--;
    this.#waiting.delete(call);
    if (this.#drained && this.#running === 0) this.close();
  }

  onReady(connection: ClientConnection): void {
    if (connection === this.#current && this.#state.value === 'connecting') {
      this.#timer?.cancel();
      this.#readySince = this.now();
      this.#state.set('ready');
    }
    this.onRoom();
  }

  onRoom(): void {
    for (const call of this.#waiting) {
      const connection = this.#current;
      if (!connection?.room) return;
      this.#waiting.delete(call);
      call.begin(connection);
    }
  }

  onGoingAway(connection: ClientConnection): void {
    this.#leave(connection, 'the peer sent us away');
  }

  onEnded(connection: ClientConnection, error: Error): void {
    this.#connections.delete(connection);
    this.#leave(connection, error.message);
  }

  /** Gives the call a stream: now, when one is free, or when there is a connection. */
  #submit(call: AnyCall): void {
    if (this.#state.value === 'closed' || this.#drained) {
      return call.abort(new LinkFailure(`The link to ${this.address} is closed.`, 'never'));
    }
    if (this.#state.value === 'failing') return call.abort(this.#noConnection());
    if (this.#waiting.size >= maxWaiting) {
      return call.abort(new LinkFailure(`Too many calls wait for ${this.address}.`, 'never'));
    }
    call.submitted = true;
    this.#running++;
    if (call.deadline !== Infinity) this.#options.wheel.add(call, call.deadline);
    const connection = this.#current;
    if (connection?.room && this.#waiting.size === 0) return call.begin(connection);
    this.#waiting.add(call);
    if (this.#state.value === 'idle') this.#dial();
  }

  /** A connection is none for new calls any more; another is needed. */
  #leave(connection: ClientConnection, reason: string): void {
    if (connection !== this.#current) return;
    this.#current = undefined;
    if (this.#state.value === 'closed') return;
    if (this.#state.value === 'connecting') return this.#failed(reason);
    const brief = this.now() - this.#readySince < briefMs;
    this.#failures = brief ? this.#failures + 1 : 0;
    // At once after a connection that held; after ever longer pauses where the peer keeps hanging up on us.
    this.#state.set('connecting');
    if (this.#failures <= 1) this.#dial();
    else this.#dialLater(() => this.#dial());
  }

  #dial(): void {
    this.#state.set('connecting');
    this.#timer = this.#options.clock.after(handshakeMs, () => this.#giveUp('it does not answer'));
    const { tls, clock, keepalive } = this.#options;
    const scheme = tls ? 'https' : 'http';
    const authority = tls?.serverName ?? this.address;
    // What happens on a connection is no part of the call that happened to need it first.
    this.#outside.runInAsyncScope(() => {
      const socket = dial(this.address, tls, (error) => {
        if (socket !== this.#socket) return;
        this.#socket = undefined;
        if (error) return this.#failed(error.message);
        const connection = new ClientConnection(socket, this, { clock, keepalive, scheme, authority });
        this.#current = connection;
        this.#connections.add(connection);
      });
      this.#socket = socket;
    });
  }

  #giveUp(reason: string): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    if (this.#current) this.#current.end(ErrorCode.SETTINGS_TIMEOUT, new Error(reason));
    else this.#failed(reason);
  }

  #failed(reason: string): void {
    if (this.#state.value === 'closed') return;
    this.#timer?.cancel();
    this.#failures++;
    this.#lastError = reason;
    this.#state.set('failing');
    this.#failWaiting();
    this.#dialLater(() => this.#dial());
  }

  #dialLater(task: () => void): void {
    const options = { initialMs: 100, maxMs: this.#options.maxReconnectMs };
    this.#timer = this.#options.clock.after(backoffDelay(this.#failures - 1, Math.random, options), task);
  }

  #failWaiting(): void {
    for (const call of [...this.#waiting]) call.abort(this.#noConnection());
  }

  #noConnection(): LinkFailure {
    return new LinkFailure(`There is no connection to ${this.address}: ${this.#lastError}.`, 'never');
  }
}
