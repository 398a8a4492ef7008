import type { Stream } from './stream.js';

/** Of so many streams that we ended we know that the peer's frames may still be on their way (RFC 9113 §5.4.2). */
const rememberedResets = 4_096;
/** A power of two. With as many streams open as a peer is allowed by default, four are in each. */
const chains = 256;

/**
 * The open streams of a connection, and the ids of those that we ended a short while ago.
 *
 * A hash table whose chains go through the streams themselves. A Map leaves a table behind each time that it has seen as many
 * streams as it has room for; V8 links each to the next, and from the first one that got old on, a scavenge keeps all that are left
 * behind, with all their streams, until the next full collection: a fifth of a server's time, and pauses of 6 to 10 ms.
 */
export class StreamTable {
  readonly #first = Array.from<Stream | undefined>({ length: chains }).fill(undefined);
  readonly #resets = new Set<number>();
  #size = 0;

  /** How many are open. */
  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    let stream = this.#first[chainOf(id)];
    while (stream && stream.id !== id) stream = stream.nextInChain;
    return stream;
  }

  /** Adds a stream that is in no table. */
  add(stream: Stream): void {
    const chain = chainOf(stream.id);
    stream.nextInChain = this.#first[chain];
    this.#first[chain] = stream;
    this.#size++;
  }

  remove(id: number): void {
    const chain = chainOf(id);
    let before: Stream | undefined;
    for (let stream = this.#first[chain]; stream; before = stream, stream = stream.nextInChain) {
      if (stream.id !== id) continue;
      if (before) before.nextInChain = stream.nextInChain;
      else this.#first[chain] = stream.nextInChain;
      stream.nextInChain = undefined;
      this.#size--;
      return;
    }
  }

  /** All that are open now, in the order in which they were opened; the list stays as it is when they close. */
  list(): readonly Stream[] {
    const open: Stream[] = [];
    for (const first of this.#first) for (let stream = first; stream; stream = stream.nextInChain) open.push(stream);
    return open.toSorted((a, b) => a.id - b.id);
  }

  rememberReset(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= rememberedResets) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }
}

/** Every other id is the other side's. */
const chainOf = (id: number) => (id >>> 1) % chains;
