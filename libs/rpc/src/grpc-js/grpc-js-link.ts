import * as grpc from '@grpc/grpc-js';
import { backoffDelay, Cell, until, type Clock, type Live, type Timer } from '@holdfast/core';
import type { RpcMethod } from '../method.js';
import { LinkFailure, type Link, type LinkState, type OutgoingCall } from '../transport.js';
import { StreamCall } from './stream-call.js';
import { UnaryCall, type CallOwner, type RunningCall } from './unary-call.js';

const stateOf: Readonly<Record<grpc.connectivityState, LinkState>> = {
  [grpc.connectivityState.IDLE]: 'idle',
  [grpc.connectivityState.CONNECTING]: 'connecting',
  [grpc.connectivityState.READY]: 'ready',
  [grpc.connectivityState.TRANSIENT_FAILURE]: 'failing',
  [grpc.connectivityState.SHUTDOWN]: 'closed',
};

/** A connection that lasted less than this, in milliseconds, counts as another failed attempt: the next one waits. */
const briefMs = 1_000;

/** The way to one peer over one grpc-js channel with one subchannel. */
export class GrpcJsLink implements Link, CallOwner {
  readonly address: string;
  readonly channel: grpc.Channel;
  readonly target: string;
  readonly running = new Set<RunningCall>();
  readonly state: Live<LinkState>;
  readonly #state: Cell<LinkState>;
  readonly #clock: Clock;
  readonly #maxReconnectMs: number;
  #wanted = false;
  #readySince: number | undefined;
  #briefConnections = 0;
  #reconnect: Timer | undefined;
  #drained: Promise<void> | undefined;

  constructor(address: string, channel: grpc.Channel, clock: Clock, maxReconnectMs: number) {
    this.address = address;
    this.channel = channel;
    this.target = channel.getTarget();
    this.#clock = clock;
    this.#maxReconnectMs = maxReconnectMs;
    this.#state = new Cell<LinkState>('idle');
    this.state = this.#state;
    this.#watch();
  }

  connect(): void {
    if (this.#wanted || this.#state.value === 'closed') return;
    this.#wanted = true;
    this.channel.getConnectivityState(true);
  }

  unary<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    call: OutgoingCall,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (!this.#open()) return reject(this.#closedFailure());
      new UnaryCall(this, method, call, resolve, reject).start(request);
    });
  }

  stream<Request, Response>(
    method: RpcMethod<Request, Response>,
    requests: AsyncIterable<Request> | Iterable<Request>,
    call: OutgoingCall,
  ): AsyncIterable<Response> {
    const stream = new StreamCall(this, method, requests, call);
    if (!this.#open()) stream.abort(this.#closedFailure());
    return stream;
  }

  drain(): Promise<void> {
    if (this.#state.value === 'closed') return Promise.resolve();
    this.#drained ??= until(this.state, (state) => state === 'closed').then(() => undefined);
    if (this.running.size === 0) this.close();
    return this.#drained;
  }

  close(): void {
    if (this.#state.value === 'closed') return;
    this.#reconnect?.cancel();
    for (const call of this.running) {
      call.abort(new LinkFailure(`The link to ${this.address} was closed under the call.`, 'maybe'));
    }
    this.channel.close();
    this.#state.set('closed');
  }

  wallDeadline(deadline: number): number {
    return deadline === Infinity ? Infinity : Date.now() + (deadline - this.#clock.now());
  }

  ended(): void {
    if (this.#drained && this.running.size === 0) this.close();
  }

  #open(): boolean {
    if (this.#state.value === 'closed' || this.#drained) return false;
    this.#wanted = true;
    return true;
  }

  #closedFailure(): LinkFailure {
    return new LinkFailure(`The link to ${this.address} is closed.`, 'never');
  }

  #watch(): void {
    const state = this.channel.getConnectivityState(false);
    if (state === grpc.connectivityState.SHUTDOWN) return;
    this.#note(state);
    this.channel.watchConnectivityState(state, Infinity, () => this.#watch());
  }

  #note(state: grpc.connectivityState): void {
    if (state === grpc.connectivityState.READY) {
      this.#readySince = this.#clock.now();
    } else if (this.#readySince !== undefined) {
      const brief = this.#clock.now() - this.#readySince < briefMs;
      this.#briefConnections = brief ? this.#briefConnections + 1 : 0;
      this.#readySince = undefined;
    }
    // A drop shows as IDLE: grpc-js waits for a call before it connects again, a link does not.
    const dropped = state === grpc.connectivityState.IDLE && this.#wanted;
    this.#state.set(dropped ? 'connecting' : stateOf[state]);
    if (dropped) this.#scheduleReconnect();
  }

  /** At once after a connection that held; after ever longer pauses where the peer keeps hanging up on us. */
  #scheduleReconnect(): void {
    const options = { initialMs: 100, maxMs: this.#maxReconnectMs };
    const pause = this.#briefConnections === 0 ? 0 : backoffDelay(this.#briefConnections - 1, Math.random, options);
    this.#reconnect?.cancel();
    this.#reconnect = this.#clock.after(pause, () => {
      if (this.#state.value !== 'closed') this.channel.getConnectivityState(true);
    });
  }
}
