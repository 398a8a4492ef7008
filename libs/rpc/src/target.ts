import {
  abortAfter,
  abortSignalOf,
  CallContext,
  DeadlineExceeded,
  NoInstances,
  RetryBudget,
  until,
  type CancelSignal,
  type Clock,
  type Live,
  type Random,
} from '@holdfast/core';
import type { ServiceView } from '@holdfast/discovery';
import type { RpcMethod } from './method.js';
import type { Peer } from './peer.js';
import { PeerSet } from './peer-set.js';
import { pickerNamed, type BalancerName, type Picker } from './picker.js';
import { cancelledBy, LinkFailure, type Metadata, type OutgoingCall, type Transport } from './transport.js';

export interface TargetDeps {
  readonly view: ServiceView;
  readonly transport: Transport;
  readonly balancer: Live<BalancerName>;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the caller of one method may say. */
export interface CallOptions {
  /** Gives up after this long, in milliseconds; the context's deadline holds in any case. @default the client's for unary calls, none for streams */
  readonly timeoutMs?: number;
  /** Cancels the call, as the context's does in any case. @default none */
  readonly signal?: AbortSignal;
  /** Headers to send along. */
  readonly metadata?: Metadata;
  readonly onHeader?: OutgoingCall['onHeader'];
  readonly onTrailer?: OutgoingCall['onTrailer'];
}

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
  readonly #peers: PeerSet;
  readonly #budget: RetryBudget;
  #picker: Picker;

  constructor(name: string, deps: TargetDeps) {
    this.name = name;
    this.#deps = deps;
    this.#peers = new PeerSet(deps.view.instances, deps.transport);
    this.#budget = new RetryBudget(deps.clock);
    this.#picker = pickerNamed(deps.balancer.value, deps.random);
    deps.balancer.subscribe((chosen) => (this.#picker = pickerNamed(chosen, deps.random)));
  }

  get peers(): readonly Peer[] {
    return this.#peers.all;
  }

  get view(): ServiceView {
    return this.#deps.view;
  }

  /** Peers that take calls now. */
  get ready(): Live<readonly Peer[]> {
    return this.#peers.ready;
  }

  async unary<Q, S>(method: RpcMethod<Q, S>, request: Q, options: CallOptions): Promise<S> {
    const attempt = this.#begin(options);
    for (;;) {
      const peer = this.#pick(attempt) ?? (await this.#pickSoon(attempt));
      try {
        return await peer.link.unary(method, request, attempt.call());
      } catch (error) {
        if (!this.#mayGoElsewhere(error, method.idempotent, attempt)) throw error;
      } finally {
        peer.inFlight--;
      }
    }
  }

  async *stream<Q, S>(
    method: RpcMethod<Q, S>,
    requests: AsyncIterable<Q> | Iterable<Q>,
    options: CallOptions,
  ): AsyncIterable<S> {
    const attempt = this.#begin(options);
    for (;;) {
      const peer = this.#pick(attempt) ?? (await this.#pickSoon(attempt));
      let answered = false;
      try {
        for await (const response of peer.link.stream(method, requests, attempt.call())) {
          answered = true;
          yield response;
        }
        return;
      } catch (error) {
        // Requests that were pulled cannot be pulled again, and a consumer must not see the start twice.
        if (answered || method.requestStream || !this.#mayGoElsewhere(error, method.idempotent, attempt)) throw error;
      } finally {
        peer.inFlight--;
      }
    }
  }

  close(): void {
    this.#peers.close();
  }

  #begin(options: CallOptions): Attempts {
    this.#budget.deposit();
    return new Attempts(options, this.#deps.clock);
  }

  #pick(attempts: Attempts): Peer | undefined {
    let peers = this.#peers.ready.value;
    const tried = attempts.tried;
    if (tried && tried.size > 0) {
      const untried = peers.filter((peer) => !tried.has(peer.address));
      if (untried.length > 0) peers = untried;
    }
    if (peers.length === 0) return undefined;
    return this.#take(this.#picker(peers), attempts);
  }

  #take(peer: Peer, attempts: Attempts): Peer {
    peer.inFlight++;
    peer.picks++;
    peer.pickedAt = this.#deps.clock.now();
    attempts.to(peer.address);
    return peer;
  }

  /** Waits for a peer while one may come: the first view is awaited, or a connection is being made. */
  async #pickSoon(attempts: Attempts): Promise<Peer> {
    const { clock, view } = this.#deps;
    const budgetMs = Math.min(CONNECT_WAIT_MS, attempts.deadline - clock.now());
    if (budgetMs > 0 && (this.#peers.hopeful || view.origin === 'none')) {
      using wait = abortAfter(clock, budgetMs, 'no peer became ready', attempts.signal);
      await until(this.#peers.ready, (peers) => peers.length > 0, wait.signal).catch(() => undefined);
    }
    if (attempts.signal?.aborted) throw cancelledBy(attempts.signal);
    if (attempts.deadline <= clock.now()) throw new DeadlineExceeded(`No answer from ${this.name} in time.`);
    const peer = this.#pick(attempts);
    if (!peer) throw new NoInstances(this.name);
    return peer;
  }

  #mayGoElsewhere(error: unknown, idempotent: boolean, attempts: Attempts): boolean {
    if (!(error instanceof LinkFailure)) return false;
    // An outer layer that retries decides about calls that may have been acted on; moving one that was not is no retry.
    if (error.processed === 'maybe' && (!idempotent || attempts.retriesOwned)) return false;
    return attempts.count < MAX_ATTEMPTS && attempts.deadline > this.#deps.clock.now() && this.#budget.withdraw();
  }
}

/** One logical call and its attempts so far. */
class Attempts {
  readonly deadline: number;
  readonly signal: CancelSignal | undefined;
  readonly retriesOwned: boolean;
  tried: Set<string> | undefined;
  count = 0;
  readonly #options: CallOptions;
  readonly #context: CallContext | undefined;

  constructor(options: CallOptions, clock: Clock) {
    const context = CallContext.current();
    this.#options = options;
    this.#context = context;
    const own = options.timeoutMs === undefined ? Infinity : clock.now() + options.timeoutMs;
    this.deadline = Math.min(own, context?.deadline ?? Infinity);
    this.signal = joined(options.signal, context?.cancellation);
    this.retriesOwned = context?.retriesOwned ?? false;
    this.tried = context?.tried;
  }

  /** Notes where the next attempt goes. */
  to(address: string): void {
    this.count++;
    (this.tried ??= new Set()).add(address);
  }

  call(): OutgoingCall {
    const { onHeader, onTrailer } = this.#options;
    return {
      metadata: this.#metadata(),
      deadline: this.deadline,
      ...(this.signal && { signal: this.signal }),
      ...(onHeader && { onHeader }),
      ...(onTrailer && { onTrailer }),
    };
  }

  #metadata(): Metadata {
    const metadata: Record<string, string | Uint8Array> = { ...this.#options.metadata };
    const context = this.#context;
    if (context?.requestId) metadata['x-request-id'] = context.requestId;
    if (context?.trace) {
      metadata['traceparent'] = context.trace.traceparent;
      if (context.trace.tracestate) metadata['tracestate'] = context.trace.tracestate;
    }
    const earlier = (context?.attempt ?? 0) + this.count - 1;
    // gRFC A6's header, so that a server can tell a retry from a first attempt.
    if (earlier > 0) metadata['grpc-previous-rpc-attempts'] = String(earlier);
    return metadata;
  }
}

function joined(a: AbortSignal | undefined, b: CancelSignal | undefined): CancelSignal | undefined {
  return a && b ? AbortSignal.any([a, abortSignalOf(b)]) : (a ?? b);
}
