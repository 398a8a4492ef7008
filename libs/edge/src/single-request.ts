import { CallContext, Code, codeFacts, listenTo, ServiceError } from '@holdfast/core';
import { HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { IdempotencyStore, Outcome } from './idempotency-store.js';

/** Longest answer that is kept, in characters. */
const MOST_KEPT = 64 * 1024;
const UNPROCESSABLE = 422;
/** Errors of calls that were never sent: to repeat them does what was asked for the first time. */
const NEVER_SENT = new Set(['NO_INSTANCES', 'CIRCUIT_OPEN']);
/** Errors that come before any work. */
const BEFORE_WORK = new Set<Code>([Code.INVALID_ARGUMENT, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED]);

type Reply = Pick<FastifyReply, 'header' | 'getHeader'>;

/** A request that is to be worked on once, however often it comes. */
export class SingleRequest {
  readonly #store: IdempotencyStore;
  readonly #ttlMs: number;
  readonly #key: string;
  readonly #fingerprint: string;

  /**
   * @param key under which its outcome is kept
   * @param fingerprint what it asks for, to tell a repetition from another request with the same key
   */
  constructor(store: IdempotencyStore, ttlMs: number, key: string, fingerprint: string) {
    this.#store = store;
    this.#ttlMs = ttlMs;
    this.#key = key;
    this.#fingerprint = fingerprint;
  }

  /**
   * What `work` gives, or gave the first time.
   * @throws what `work` threw; ServiceError ABORTED while it is still under way; HttpException 422 where the key came with
   * another request
   */
  async answer(reply: Reply, work: () => Promise<unknown>): Promise<unknown> {
    const claim = await this.#store.claim(this.#key, this.#fingerprint, this.#ttlMs);
    if (claim.state === 'yours') return untilEnded(this.#run(reply, work));
    if (claim.fingerprint !== this.#fingerprint) {
      throw new HttpException('This Idempotency-Key came with another request before.', UNPROCESSABLE);
    }
    if (claim.state === 'running') {
      throw new ServiceError(Code.ABORTED, 'A request with this Idempotency-Key is still under way.', {
        reason: 'IDEMPOTENCY_KEY_IN_USE',
        retryAfterMs: 1_000,
      });
    }
    reply.header('idempotency-replayed', 'true');
    return replay(claim.outcome, reply);
  }

  async #run(reply: Reply, work: () => Promise<unknown>): Promise<unknown> {
    let value: unknown;
    try {
      value = await CallContext.run(detached(), work);
    } catch (error) {
      const outcome = outcomeOf(error);
      await (outcome ? this.#keep(outcome) : this.#store.release(this.#key));
      throw error;
    }
    const body = JSON.stringify(value ?? null);
    const header = reply.getHeader('location');
    const location = header === undefined ? undefined : String(header);
    await this.#keep(body.length > MOST_KEPT ? tooLong : { kind: 'answer', body, location });
    return value;
  }

  #keep(outcome: Outcome): Promise<void> {
    return this.#store.complete(this.#key, this.#fingerprint, outcome, this.#ttlMs);
  }
}

/** The context of the request without its end: neither the client's leaving nor its deadline stops the work. */
function detached(): CallContext {
  const { requestId, trace, identity } = CallContext.current() ?? {};
  return new CallContext({ requestId, trace, identity });
}

/** What the client is told: the outcome of `work`, or that its own time is over, while the work goes on. */
function untilEnded(work: Promise<unknown>): Promise<unknown> {
  const ended = CallContext.current()?.cancellation;
  if (!ended) return work;
  return new Promise((resolve, reject) => {
    const listener = { handleEvent: () => reject(ended.reason as Error) };
    listenTo(ended, listener);
    work.then(resolve, reject).finally(() => ended.removeEventListener('abort', listener));
  });
}

/** What is kept of a failure; undefined where nothing was done, so that another try may do it. */
function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof HttpException && error.getStatus() < 500) return undefined;
  if (!(error instanceof ServiceError)) return failed(Code.INTERNAL, 'The request could not be served.');
  const { code, message, reason, violations } = error;
  const nothingDone = BEFORE_WORK.has(code) || codeFacts[code].blame === 'refusal' || NEVER_SENT.has(reason);
  return nothingDone ? undefined : { ...failed(code, message), reason, violations };
}

function failed(code: Code, message: string) {
  return { kind: 'error', code, message, reason: codeFacts[code].name, violations: [] } as const;
}

const tooLong: Outcome = {
  ...failed(Code.ABORTED, 'This was done already, and its answer was too long to be kept.'),
  reason: 'ANSWER_NOT_KEPT',
};

function replay(outcome: Outcome, reply: Reply): unknown {
  if (outcome.kind === 'error') {
    const { code, message, reason, violations } = outcome;
    throw new ServiceError(code, message, { reason, violations });
  }
  if (outcome.location !== undefined) reply.header('location', outcome.location);
  return JSON.parse(outcome.body);
}
