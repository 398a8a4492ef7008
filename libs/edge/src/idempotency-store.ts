import type { Code, Clock, FieldViolation } from '@holdfast/core';

/** How a request with an idempotency key ended: all that it takes to answer its repetition the same. */
export type Outcome =
  | { readonly kind: 'answer'; readonly body: string; readonly location?: string | undefined }
  | {
      readonly kind: 'error';
      readonly code: Code;
      readonly message: string;
      readonly reason: string;
      readonly violations: readonly FieldViolation[];
    };

/** What is known of a key: nothing, so that it is now the asker's; that somebody works on it; or how that ended. */
export type Claim =
  | { readonly state: 'yours' }
  | { readonly state: 'running'; readonly fingerprint: string }
  | { readonly state: 'done'; readonly fingerprint: string; readonly outcome: Outcome };

/**
 * Where outcomes are kept until their time is over. The one in memory is enough for one gateway; several need a store that they
 * share, whose `claim` is one atomic step.
 */
export interface IdempotencyStore {
  /**
   * Takes `key` for the asker, unless it is taken. @param fingerprint tells whether a repetition asks for the same
   * @throws ServiceError UNAVAILABLE where it cannot say
   */
  claim(key: string, fingerprint: string, ttlMs: number): Promise<Claim>;
  /** Keeps how it ended, in place of the claim. */
  complete(key: string, fingerprint: string, outcome: Outcome, ttlMs: number): Promise<void>;
  /** Takes the claim back: nothing was done, and the next one may try. */
  release(key: string): Promise<void>;
}

export interface MemoryIdempotencyOptions {
  /** Outcomes that are kept at most; the oldest makes room. @default 10_000 */
  readonly maxEntries?: number;
  /** Length of all outcomes together, in characters. @default 16 Mi */
  readonly maxLength?: number;
}

interface Done {
  readonly fingerprint: string;
  readonly outcome: Outcome;
  readonly until: number;
  readonly length: number;
}

/** Outcomes in this process's memory: a restart forgets them. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #maxLength: number;
  /** Bounded by the requests that run. */
  readonly #running = new Map<string, string>();
  /** In the order of their ends. */
  readonly #done = new Map<string, Done>();
  #length = 0;

  constructor(clock: Clock, { maxEntries = 10_000, maxLength = 16 * 1024 * 1024 }: MemoryIdempotencyOptions = {}) {
    this.#clock = clock;
    this.#maxEntries = maxEntries;
    this.#maxLength = maxLength;
  }

  claim(key: string, fingerprint: string): Promise<Claim> {
    const running = this.#running.get(key);
    if (running !== undefined) return Promise.resolve({ state: 'running', fingerprint: running });
    const done = this.#done.get(key);
    if (done && this.#clock.now() < done.until) return Promise.resolve({ state: 'done', ...done });
    this.#running.set(key, fingerprint);
    return Promise.resolve({ state: 'yours' });
  }

  complete(key: string, fingerprint: string, outcome: Outcome, ttlMs: number): Promise<void> {
    this.#running.delete(key);
    this.#forget(key);
    const length = outcome.kind === 'answer' ? outcome.body.length : outcome.message.length;
    this.#done.set(key, { fingerprint, outcome, until: this.#clock.now() + ttlMs, length });
    this.#length += length;
    for (const [oldest] of this.#done) {
      if (this.#done.size <= this.#maxEntries && this.#length <= this.#maxLength) break;
      this.#forget(oldest);
    }
    return Promise.resolve();
  }

  release(key: string): Promise<void> {
    this.#running.delete(key);
    return Promise.resolve();
  }

  #forget(key: string): void {
    const done = this.#done.get(key);
    if (done && this.#done.delete(key)) this.#length -= done.length;
  }
}
