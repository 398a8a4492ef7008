import { DynamicTable, entryOverhead } from './dynamic-table.js';
import { HpackError } from './hpack-error.js';
import { huffmanText } from './huffman.js';
import { staticSize, staticTable } from './static-table.js';

/** Header fields in their order: name, value, name, value, … */
export type Fields = readonly string[];

/** What a peer may make us keep, in bytes: the protocol's own default (RFC 9113 §6.5.2). */
const tableSize = 4_096;

/** Reads header blocks of one direction of a connection (RFC 7541). Every block must go through it, in order, wanted or not. */
export class HpackDecoder {
  readonly #table = new DynamicTable(tableSize);
  readonly #maxListSize: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #tooLarge = false;

  /** @param maxListSize the largest list that is kept, in bytes by the reckoning of RFC 9113 §6.5.2 */
  constructor(maxListSize: number) {
    this.#maxListSize = maxListSize;
  }

  /** Whether the block that was read last made a larger list than allowed; its fields were left out from there on. */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /** @throws HpackError */
  decode(block: Buffer): Fields {
    this.#bytes = block;
    this.#at = 0;
    this.#end = block.length;
    this.#tooLarge = false;
    const fields: string[] = [];
    let room = this.#maxListSize;
    this.#readSizeUpdates();
    while (this.#at < this.#end) {
      const first = block[this.#at]!;
      let name: string;
      let value: string;
      if (first >= 0x80) {
        // Indexed field (§6.1).
        const index = this.#readInteger(0x7f);
        name = this.#nameAt(index);
        value = this.#valueAt(index);
      } else if (first >= 0x40) {
        // Literal with incremental indexing (§6.2.1).
        name = this.#readName(0x3f);
        value = this.#readString();
        this.#table.add(name, value);
      } else if (first >= 0x20) {
        throw new HpackError('The table size changes in the middle of a block.');
      } else {
        // Literal without indexing, or never indexed: the same to who passes nothing on (§6.2.2, §6.2.3).
        name = this.#readName(0x0f);
        value = this.#readString();
      }
      room -= name.length + value.length + entryOverhead;
      if (room < 0) this.#tooLarge = true;
      else fields.push(name, value);
    }
    return fields;
  }

  /** Changes of the table's size: only at the start of a block, two at most (RFC 7541 §4.2). */
  #readSizeUpdates(): void {
    for (let updates = 0; this.#at < this.#end && (this.#bytes[this.#at]! & 0xe0) === 0x20; updates++) {
      if (updates === 2) throw new HpackError('A block changes the table size more than twice.');
      const size = this.#readInteger(0x1f);
      if (size > tableSize) throw new HpackError(`The table may have ${tableSize} bytes, not ${size}.`);
      this.#table.resize(size);
    }
  }

  #readName(mask: number): string {
    const index = this.#readInteger(mask);
    return index === 0 ? this.#readString() : this.#nameAt(index);
  }

  #nameAt(index: number): string {
    if (index <= staticSize && index > 0) return staticTable[index - 1]![0];
    return this.#table.nameAt(this.#dynamicIndex(index));
  }

  #valueAt(index: number): string {
    if (index <= staticSize && index > 0) return staticTable[index - 1]![1];
    return this.#table.valueAt(this.#dynamicIndex(index));
  }

  #dynamicIndex(index: number): number {
    const dynamic = index - staticSize - 1;
    if (dynamic < 0 || dynamic >= this.#table.length) throw new HpackError(`There is no entry ${index}.`);
    return dynamic;
  }

  /** An integer whose first bits are under `mask` (RFC 7541 §5.1); four more bytes are more than anything here needs. */
  #readInteger(mask: number): number {
    let value = this.#readByte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#readByte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('An integer is too long.');
  }

  #readByte(): number {
    if (this.#at >= this.#end) throw new HpackError('A block ends too early.');
    return this.#bytes[this.#at++]!;
  }

  /** A string, plain or by Huffman's code (RFC 7541 §5.2). */
  #readString(): string {
    const huffman = this.#at < this.#end && this.#bytes[this.#at]! >= 0x80;
    const length = this.#readInteger(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw new HpackError('A string is longer than its block.');
    this.#at = end;
    return huffman ? huffmanText(this.#bytes, start, end) : this.#bytes.toString('latin1', start, end);
  }
}
