import type { Stream } from './stream.js';

/** Of so many streams that we ended we know that the peer's frames may still be on their way (RFC 9113 §5.4.2). */
const rememberedResets = 4_096;

/** The open streams of a connection, and the ids of those that we ended a short while ago. */
export class StreamTable {
  readonly #open = new Map<number, Stream>();
  readonly #resets = new Set<number>();

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, stream);
  }

  remove(id: number): void {
    this.#open.delete(id);
  }

  /** All that are open now; the list stays as it is when they close. */
  list(): readonly Stream[] {
    return [...this.#open.values()];
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
