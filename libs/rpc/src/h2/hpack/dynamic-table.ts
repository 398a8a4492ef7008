/** What an entry takes beside its characters, in bytes (RFC 7541 §4.1). */
export const entryOverhead = 32;

/** The dynamic table of one direction: first in, first out, within a size (RFC 7541 §2.3.2, §4). */
export class DynamicTable {
  #names: string[] = [];
  #values: string[] = [];
  /** Position of the oldest entry; those before it are gone and are cut off now and then. */
  #oldest = 0;
  #size = 0;
  #maxSize: number;

  /** @param maxSize in bytes, by the reckoning of RFC 7541 §4.1 */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get length(): number {
    return this.#names.length - this.#oldest;
  }

  /** The name of entry `index`, 0 being the newest. */
  nameAt(index: number): string {
    return this.#names[this.#names.length - 1 - index]!;
  }

  valueAt(index: number): string {
    return this.#values[this.#values.length - 1 - index]!;
  }

  /** Evicts until the new entry fits; one that never could leaves the table empty (RFC 7541 §4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + entryOverhead;
    this.#evictDownTo(this.#maxSize - size);
    if (size > this.#maxSize) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#size += size;
  }

  /** Sets another limit and evicts what is over it (RFC 7541 §4.3). */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evictDownTo(maxSize);
  }

  #evictDownTo(size: number): void {
    while (this.#size > size && this.length > 0) {
      this.#size -= this.#names[this.#oldest]!.length + this.#values[this.#oldest]!.length + entryOverhead;
      this.#oldest++;
    }
    if (this.#oldest > 256 || this.length === 0) {
      this.#names = this.#names.slice(this.#oldest);
      this.#values = this.#values.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}
