/**
 * A map that forgets what was not used lately, so that strangers cannot fill the memory with keys. It holds up to twice `size`
 * entries: when the newer half is full, the older one is dropped whole, which costs nothing per entry.
 * Algorithm: two generations, a common approximation of "least recently used" with two lookups in place of a list.
 */
export class RecentMap<K, V> {
  readonly #size: number;
  #newer = new Map<K, V>();
  #older = new Map<K, V>();

  /** @param size entries that are surely kept, from 1 on */
  constructor(size: number) {
    this.#size = size;
  }

  /** The value of `key`, which counts as a use; undefined where there is none or no longer one. */
  get(key: K): V | undefined {
    const value = this.#newer.get(key);
    if (value !== undefined) return value;
    const old = this.#older.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#newer.size >= this.#size && !this.#newer.has(key)) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }

  delete(key: K): void {
    this.#newer.delete(key);
    this.#older.delete(key);
  }

  /** All values that are held; one that was used in both halves comes once. */
  values(): Iterable<V> {
    return new Set([...this.#older.values(), ...this.#newer.values()]);
  }
}
