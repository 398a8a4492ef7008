import { CallContext, Cancellation, type CancelSignal, type TraceContext } from '@holdfast/core';
import type { Pass } from './gate.js';
import type { Bulkhead } from './bulkhead.js';
import { isThenable } from './thenable.js';

/** Whose attempts they are: a run, as an attempt sees it. */
export interface AttemptOwner {
  /** The context of the caller. */
  readonly context: CallContext | undefined;
  /** What attempts carry. */
  readonly trace: TraceContext | undefined;
  /** Whether attempts see a context of their own: there is a deadline, or there may be more attempts than one. */
  readonly scoped: boolean;
  /** Whether it repeats attempts, so that no layer below does. */
  readonly repeats: boolean;
  readonly tried: Set<string> | undefined;
  /** Whether the caller has seen a part of the answer, which neither another attempt nor a fallback can take back. */
  shown: boolean;
  /** Does the work once. */
  work(): unknown;
  /** The attempt's own signal is in use: it must hear when the caller goes away. */
  listen(): void;
  succeeded(attempt: Attempt, value: unknown): void;
  failed(attempt: Attempt, error: unknown): void;
  /** Work that was given up has really ended. */
  released(attempt: Attempt): void;
}

/**
 * One attempt at the work, and the context that the work runs in: it sees the attempt's deadline, a signal that ends with
 * this attempt alone, made when it is first looked at, and where the attempts before it went.
 */
export class Attempt extends CallContext {
  readonly startedAt: number;
  readonly pass: Pass;
  readonly permit: Bulkhead | undefined;
  readonly #owner: AttemptOwner;
  #cancellation: Cancellation | undefined;
  #givenUp: { readonly reason: unknown } | undefined;

  constructor(
    owner: AttemptOwner,
    startedAt: number,
    deadline: number,
    count: number,
    pass: Pass,
    permit: Bulkhead | undefined,
  ) {
    const { context } = owner;
    super({
      deadline,
      requestId: context?.requestId,
      trace: owner.trace,
      identity: context?.identity,
      hashKey: context?.hashKey,
      attempt: (context?.attempt ?? 0) + count,
      retriesOwned: owner.repeats || (context?.retriesOwned ?? false),
    });
    this.#owner = owner;
    this.startedAt = startedAt;
    this.pass = pass;
    this.permit = permit;
  }

  override get tried(): Set<string> | undefined {
    return this.#owner.tried;
  }

  override get cancellable(): boolean {
    return true;
  }

  override get cancellation(): CancelSignal {
    if (!this.#cancellation) {
      this.#cancellation = new Cancellation();
      if (this.#givenUp) this.#cancellation.abort(this.#givenUp.reason);
      else this.#owner.listen();
    }
    return this.#cancellation;
  }

  start(): void {
    let answer: unknown;
    let waits: boolean;
    try {
      answer = this.#owner.scoped ? CallContext.run(this, workOf, this.#owner) : this.#owner.work();
      waits = isThenable(answer);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!waits) {
      this.#succeeded(answer);
      return;
    }
    const promise = answer instanceof Promise ? answer : Promise.resolve(answer);
    promise.then(
      (value) => this.#succeeded(value),
      (error: unknown) => this.#failed(error),
    );
  }

  /** The caller has seen a part of the answer. */
  show(): void {
    this.#owner.shown = true;
  }

  /** Tells the work to stop; whatever it does from now on changes nothing, but it keeps its permit until it really ends. */
  giveUp(reason: unknown): void {
    this.#givenUp = { reason };
    this.#cancellation?.abort(reason);
  }

  #succeeded(value: unknown): void {
    if (this.#givenUp) this.#owner.released(this);
    else this.#owner.succeeded(this, value);
  }

  #failed(error: unknown): void {
    if (this.#givenUp) this.#owner.released(this);
    else this.#owner.failed(this, error);
  }
}

/** Not a closure, which would be one more object for each attempt. */
function workOf(owner: AttemptOwner): unknown {
  return owner.work();
}
