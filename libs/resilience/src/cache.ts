import type { Live } from '@holdfast/core';
import { z } from 'zod';
import { duration } from './duration.js';

export const cacheSpec = z.strictObject({
  ttl: duration(1).describe('How long an answer is given again without asking; 1ms to 60m.'),
  maxEntries: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1_000)
    .describe('Answers that are kept; 1 to 1,000,000. The one that was not used for longest makes room.'),
  staleIfError: duration(0)
    .default(0)
    .describe('How long after its time an answer may still stand in for a failure; 0 to 60m.'),
});

export type CacheSpec = z.output<typeof cacheSpec>;

interface Entry {
  readonly value: unknown;
  readonly keptAt: number;
}

/** The last good answers by key, bounded in number: what was used least recently makes room. */
export class AnswerCache {
  readonly #spec: Live<CacheSpec>;
  readonly #entries = new Map<string, Entry>();

  constructor(spec: Live<CacheSpec>) {
    this.#spec = spec;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The answer for `key` while it is fresh; an object around it, since an answer may be undefined. */
  fresh(key: string, now: number): { readonly value: unknown } | undefined {
    return this.#within(key, now, this.#spec.value.ttl);
  }

  /** The answer for `key` while it may stand in for a failure. */
  stale(key: string, now: number): { readonly value: unknown } | undefined {
    const { ttl, staleIfError } = this.#spec.value;
    return this.#within(key, now, ttl + staleIfError);
  }

  keep(key: string, value: unknown, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, keptAt: now });
    // A Map iterates in the order of insertion, and using an entry inserts it anew: the first is the least recently used.
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#spec.value.maxEntries) break;
      this.#entries.delete(oldest);
    }
  }

  #within(key: string, now: number, ms: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry || now - entry.keptAt >= ms) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }
}
