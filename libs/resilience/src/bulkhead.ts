import type { Live } from '@holdfast/core';
import { z } from 'zod';
import { duration } from './duration.js';

export const bulkheadSpec = z.strictObject({
  limit: z.int().min(1).max(1_000_000).describe('Calls that may run at the same time; 1 to 1,000,000.'),
  queue: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe('Calls that may wait for one of these to end; 0 to 1,000,000. With 0 they are refused at once.'),
  maxWait: duration(1)
    .default(1_000)
    .describe('How long a call may wait in the queue; 1ms to 60m. A wait never outlasts the deadline.'),
});

export type BulkheadSpec = z.output<typeof bulkheadSpec>;

/** Who waits in a bulkhead's queue. */
export interface Waiting {
  /** A permit is there, and taken in its name. */
  admitted(): void;
}

/**
 * At most `limit` pieces of work at a time. A permit goes with the work, not with whoever waits for it: work that was given
 * up and runs on keeps its permit, since it still costs what the limit protects. Who must wait is admitted in order.
 */
export class Bulkhead {
  readonly #spec: Live<BulkheadSpec>;
  readonly #queue = new Set<Waiting>();
  #inUse = 0;

  constructor(spec: Live<BulkheadSpec>) {
    this.#spec = spec;
    spec.subscribe(() => this.#admit());
  }

  /** How long a place in the queue is kept, in milliseconds. */
  get maxWait(): number {
    return this.#spec.value.maxWait;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Takes a permit if one is free and nobody waits for it. */
  tryEnter(): boolean {
    if (this.#inUse >= this.#spec.value.limit || this.#queue.size > 0) return false;
    this.#inUse++;
    return true;
  }

  /** Waits in the queue, if it has room. Whoever does not want to wait any more leaves it. */
  wait(waiting: Waiting): boolean {
    if (this.#queue.size >= this.#spec.value.queue) return false;
    this.#queue.add(waiting);
    return true;
  }

  /** Takes `waiting` out of the queue; nobody else's place changes but by moving up. */
  leave(waiting: Waiting): void {
    this.#queue.delete(waiting);
  }

  /** Frees a permit: the work that had it has ended. */
  exit(): void {
    this.#inUse--;
    if (this.#queue.size > 0) this.#admit();
  }

  #admit(): void {
    for (const waiting of this.#queue) {
      if (this.#inUse >= this.#spec.value.limit) return;
      this.#queue.delete(waiting);
      this.#inUse++;
      waiting.admitted();
    }
  }
}
