import {
  abortAfter,
  Code,
  DeadlineExceeded,
  NoInstances,
  RetryBudget,
  until,
  type Clock,
  type TraceContext,
} from '@holdfast/core';
import { Attempts, codeOfFailure, type Attempt, type CallOptions } from './attempts.js';
import type { Outcome } from './balancer/outcome.js';
import { Fleet, type FleetDeps } from './fleet.js';
import type { RpcMethod } from './method.js';
import type { Peer } from './peer.js';
import type { ObserveRpcClient, RpcClientObserver } from './rpc-observer.js';
import { cancelledBy, LinkFailure } from './transport.js';

export interface TargetDeps extends FleetDeps {
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

/** How long a call waits for a peer that is still connecting, in milliseconds. */
const CONNECT_WAIT_MS = 1_000;
/** Attempts of one call in all: an instance that dies and another that dies while it is asked instead. */
const MAX_ATTEMPTS = 3;

/**
 * One service as this process calls it: its fleet, and what happens to a call when a peer is lost. A call whose link
 * failed goes to another peer, once more or twice, within the retry budget: if the proto calls the method idempotent, or
 * if it is certain that the peer never acted on it. What a peer answered, good or bad, is the caller's.
 */
export class Target extends Fleet {
  readonly #clock: Clock;
  readonly #observe: ObserveRpcClient | undefined;
  readonly #budget: RetryBudget;
  readonly #observers = new Map<object, RpcClientObserver>();

  constructor(name: string, deps: TargetDeps) {
    super(name, deps);
    this.#clock = deps.clock;
    this.#observe = deps.observe;
    this.#budget = new RetryBudget(deps.clock);
  }

  /** How many failovers the budget would grant now. */
  get retryBudget(): number {
    return this.#budget.balance;
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

  #begin(
    method: Pick<RpcMethod<unknown, unknown>, 'path'>,
    options: CallOptions,
    idempotent: boolean,
    bounded: boolean,
  ): Attempts {
    this.#budget.deposit();
    return new Attempts(options, this.#clock, idempotent, bounded, this.#observerOf(method));
  }

  #observerOf(method: Pick<RpcMethod<unknown, unknown>, 'path'>): RpcClientObserver | undefined {
    if (!this.#observe) return undefined;
    let observer = this.#observers.get(method);
    if (!observer) this.#observers.set(method, (observer = this.#observe(method.path, this.name)));
    return observer;
  }

  #pick(attempts: Attempts): Sent | undefined {
    const attempt = attempts.next();
    const peer = this.pick(attempt);
    if (!peer) return undefined;
    return { peer, attempt, trace: attempts.to(peer.address) };
  }

  #end(attempts: Attempts, { peer, attempt, trace }: Sent, outcome: Outcome, code: Code): void {
    const now = this.#clock.now();
    this.done(peer, outcome, attempt, now);
    attempts.ended(code, now - attempt.startedAt, trace);
  }

  /** Waits for a peer while one may come: the first view is awaited, or a connection is being made. */
  async #pickSoon(attempts: Attempts): Promise<Sent> {
    const clock = this.#clock;
    const budgetMs = Math.min(CONNECT_WAIT_MS, attempts.deadline - clock.now());
    if (budgetMs > 0 && this.hopeful) {
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
    if (attempts.count >= MAX_ATTEMPTS || attempts.deadline <= this.#clock.now()) return false;
    if (!this.#budget.withdraw()) return false;
    attempts.moves(error);
    return true;
  }
}
