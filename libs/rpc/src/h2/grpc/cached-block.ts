import type { HpackEncoder } from '../hpack/hpack-encoder.js';

/** The part of a header block that is the same each time: once its entries are in the table it is a few bytes, made once. */
export class CachedBlock {
  readonly #write: (encoder: HpackEncoder) => void;
  #bytes: Buffer | undefined;
  #generation = -1;

  /** @param write writes the fields, by `stable` alone */
  constructor(write: (encoder: HpackEncoder) => void) {
    this.#write = write;
  }

  /** Starts a block of `encoder`, always the same one, with these fields. */
  begin(encoder: HpackEncoder): void {
    encoder.begin();
    if (this.#bytes !== undefined && this.#generation === encoder.generation) return encoder.again(this.#bytes);
    const start = encoder.length;
    const generation = encoder.generation;
    this.#write(encoder);
    // While fields are still being added to the table, the same bytes would add them again.
    this.#generation = generation === encoder.generation ? generation : -1;
    this.#bytes = Buffer.from(encoder.end().subarray(start));
  }
}
