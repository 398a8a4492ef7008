import {
  abortAfter,
  Code,
  DeadlineExceeded,
  NoInstances,
  RetryBudget,
  until,
  type Clock,
  type Live,
  type Random,
  type TraceContext,
  type Unsubscribe,
} from '@holdfast/core';
import type { ServiceView } from '@holdfast/discovery';
import { Attempts, codeOfFailure, type Attempt, type CallOptions } from './attempts.js';
import { Balancer } from './balancer/balancer.js';
import type { Outcome } from './balancer/outcome.js';
import type { BalancerName } from './balancer/picker.js';
import { Departed } from './departed.js';
import { peerHealthCheck } from './health-probe.js';
import type { RpcMethod } from './method.js';
import type { Peer } from './peer.js';
import { PeerSet } from './peer-set.js';
import { peerStates, type PeerState } from './peer-state.js';
import { Prober } from './balancer/prober.js';
import type { ObserveRpcClient, RpcClientObserver } from './rpc-observer.js';
import { Subset } from './subset.js';
import { cancelledBy, LinkFailure, type Transport } from './transport.js';

export interface TargetDeps {
  readonly view: ServiceView;
  readonly transport: Transport;
  readonly balancer: Live<BalancerName>;
  readonly clock: Clock;
  readonly random: Random;
  /** The zone that this process runs in: instances in it come first. @default none */
  readonly zone?: string | undefined;
  /** How many instances it connects to at most; of a larger fleet, each process uses a part. `consistent_hash` needs all. @default 100 */
  readonly maxPeers?: Live<number> | undefined;
  /** Watches the calls. @default nobody does */
  readonly observe?: ObserveRpcClient | undefined;
}

/** Where one attempt went, until it ends. */
interface Sent {
  readonly peer: Peer;
  readonly attempt: Attempt;
  /** What it carries. */
  readonly trace: TraceContext | undefined;
}

export const defaultMaxPeers = 100;
/** How long a call waits for a peer that is still connecting, in milliseconds. */
const CONNECT_WAIT_MS = 1_000;
/** Attempts of one call in all: an instance that dies and another that dies while it is asked instead. */
const MAX_ATTEMPTS = 3;

/**
 * One service as this process calls it: its peers, who is next, and what happens when a peer is lost. A call whose link
 * failed goes to another peer, once more or twice, within the retry budget: if the proto calls the method idempotent, or
 * if it is certain that the peer never acted on it. What a peer answered, good or bad, is the caller's.
 */
export class Target {
  readonly name: string;
  readonly #deps: TargetDeps;
  readonly #balancer: Balancer<Peer>;
  readonly #prober: Prober<Peer>;
  readonly #peers: PeerSet;
  readonly #budget: RetryBudget;
  readonly #subset: Subset;
  readonly #observers = new Map<object, RpcClientObserver>();
  readonly #subscriptions: readonly Unsubscribe[];

  constructor(name: string, deps: TargetDeps) {
    const { clock, random, balancer, view, transport, zone } = deps;
    this.name = name;
    this.#deps = deps;
    this.#prober = new Prober(clock, peerHealthCheck(clock));
    this.#balancer = new Balancer<Peer>({ picker: balancer.value, clock, random, zone, probes: this.#prober });
    this.#peers = new PeerSet(transport, this.#balancer, new Departed(clock));
    this.#budget = new RetryBudget(clock);
    this.#subset = new Subset({ key: `${name} ${random()}`, zone });
    this.#subscriptions = [
      view.instances.subscribe(() => this.#update()),
      balancer.subscribe((chosen) => {
        this.#balancer.use(chosen);
        this.#update();
      }),
      ...(deps.maxPeers ? [deps.maxPeers.subscribe(() => this.#update())] : []),
    ];
    this.#update();
  }

  get peers(): readonly Peer[] {
    return this.#peers.all;
  }

  get view(): ServiceView {
    return this.#deps.view;
  }

  /** How many peers have a connection that takes calls. */
  get connected(): Live<number> {
    return this.#peers.connected;
  }

  /** More than half of the peers would be ejected, so that none is. */
  get panic(): boolean {
    return this.#balancer.panic;
  }

  /** How often a peer was ejected. */
  get ejections(): number {
    return this.#balancer.ejections;
  }

  /** How many failovers the budget would grant now. */
  get retryBudget(): number {
    return this.#budget.balance;
  }

  /** How each peer stands, for operators. */
  states(): readonly PeerState[] {
    return peerStates(this.peers, this.#balancer, this.#deps.clock);
  }

  async unary<Q, S>(method: RpcMethod<Q, S>, request: Q, options: CallOptions): Promise<S> {
    const attempts = this.#begin(method, options, method.idempotent, true);
    for (;;) {
      const sent = this.#pick(attempts) ?? (await this.#pickSoon(attempts));
      try {
        const answer = await sent.peer.link.unary(method, request, attempts.call(sent.trace));
        this.#end(attempts, sent, 'success', Code.OK);
        attempts.over(Code.OK);
        return answer;
      } catch (error) {
        this.#end(attempts, sent, attempts.outcomeOf(error), codeOfFailure(error));
        if (!this.#mayGoElsewhere(error, attempts)) throw attempts.failed(error);
      }
    }
  }

  async *stream<Q, S>(
    method: RpcMethod<Q, S>,
    requests: AsyncIterable<Q> | Iterable<Q>,
    options: CallOptions,
  ): AsyncIterable<S> {
    const attempts = this.#begin(method, options, method.idempotent && !method.requestStream, false);
    for (;;) {
      const sent = this.#pick(attempts) ?? (await this.#pickSoon(attempts));
      let answered = false;
      // What a consumer that leaves early leaves behind.
      let outcome: Outcome = 'ignored';
      let code: Code = Code.CANCELLED;
      let moves = false;
      try {
        for await (const response of sent.peer.link.stream(method, requests, attempts.call(sent.trace))) {
          answered = true;
          yield response;
        }
        outcome = 'success';
        code = Code.OK;
        return;
      } catch (error) {
        outcome = attempts.outcomeOf(error);
        code = codeOfFailure(error);
        // Requests that were pulled cannot be pulled again, and a consumer must not see the start twice.
        moves = !answered && !method.requestStream && this.#mayGoElsewhere(error, attempts);
        if (!moves) throw error;
      } finally {
        this.#end(attempts, sent, outcome, code);
        if (!moves) attempts.over(code);
      }
    }
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#prober.close();
    this.#peers.close();
  }

  #update(): void {
    const { view, balancer, maxPeers } = this.#deps;
    // A key has one home in the whole fleet, not one in each process's part of it.
    const limit = balancer.value === 'consistent_hash' ? Infinity : (maxPeers?.value ?? defaultMaxPeers);
    this.#peers.update(this.#subset.of(view.instances.value, limit));
  }

  #begin(
    method: Pick<RpcMethod<unknown, unknown>, 'path'>,
    options: CallOptions,
    idempotent: boolean,
    bounded: boolean,
  ): Attempts {
    this.#budget.deposit();
    return new Attempts(options, this.#deps.clock, idempotent, bounded, this.#observerOf(method));
  }

  #observerOf(method: Pick<RpcMethod<unknown, unknown>, 'path'>): RpcClientObserver | undefined {
    const { observe } = this.#deps;
    if (!observe) return undefined;
    let observer = this.#observers.get(method);
    if (!observer) this.#observers.set(method, (observer = observe(method.path, this.name)));
    return observer;
  }

  #pick(attempts: Attempts): Sent | undefined {
    const attempt = attempts.next();
    const peer = this.#balancer.pick(attempt, attempt.startedAt);
    if (!peer) return undefined;
    return { peer, attempt, trace: attempts.to(peer.address) };
  }

  #end(attempts: Attempts, { peer, attempt, trace }: Sent, outcome: Outcome, code: Code): void {
    const now = this.#deps.clock.now();
    const durationMs = now - attempt.startedAt;
    this.#balancer.done(peer, outcome, durationMs, attempt, now);
    attempts.ended(code, durationMs, trace);
  }

  /** Waits for a peer while one may come: the first view is awaited, or a connection is being made. */
  async #pickSoon(attempts: Attempts): Promise<Sent> {
    const { clock, view } = this.#deps;
    const budgetMs = Math.min(CONNECT_WAIT_MS, attempts.deadline - clock.now());
    if (budgetMs > 0 && (this.#peers.hopeful || view.origin === 'none')) {
      using wait = abortAfter(clock, budgetMs, 'no peer became ready', attempts.signal);
      await until(this.connected, (count) => count > 0, wait.signal).catch(() => undefined);
    }
    if (attempts.signal?.aborted) throw attempts.failed(cancelledBy(attempts.signal));
    if (attempts.deadline <= clock.now()) {
      throw attempts.failed(new DeadlineExceeded(`No answer from ${this.name} in time.`));
    }
    const sent = this.#pick(attempts);
    if (!sent) throw attempts.failed(new NoInstances(this.name));
    return sent;
  }

  #mayGoElsewhere(error: unknown, attempts: Attempts): boolean {
    if (!(error instanceof LinkFailure)) return false;
    // An outer layer that retries decides about calls that may have been acted on; moving one that was not is no retry.
    if (error.processed === 'maybe' && (!attempts.idempotent || attempts.retriesOwned)) return false;
    if (attempts.count >= MAX_ATTEMPTS || attempts.deadline <= this.#deps.clock.now()) return false;
    if (!this.#budget.withdraw()) return false;
    attempts.moves(error);
    return true;
  }
}
