import { entryOverhead } from './dynamic-table.js';
import { staticSize, staticTable } from './static-table.js';

/** The protocol's own default, which a peer may only make smaller for us: we would not use more (RFC 9113 §6.5.2). */
const tableSize = 4_096;

const staticNames = new Map<string, number>();
const staticFields = new Map<string, number>();
staticTable.forEach(([name, value], index) => {
  if (!staticNames.has(name)) staticNames.set(name, index + 1);
  staticFields.set(keyOf(name, value), index + 1);
});

/**
 * Writes header blocks for one direction of a connection (RFC 7541).
 *
 * Its table only grows: what is full takes no more, so an entry that was sent once is one or two bytes for as long as the
 * connection lives, and blocks made of such entries can be kept and sent again while {@link generation} stays the same.
 * No string is packed by Huffman's code: it would cost more time than the bytes are worth inside of a data centre.
 */
export class HpackEncoder {
  /** Where each field of the table, or each name, was added: the first is 0. */
  readonly #added = new Map<string, number>();
  readonly #names = new Map<string, number>();
  #count = 0;
  #room = tableSize;
  #generation = 0;
  /** What the peer must be told of the table's size at the start of the next block. */
  #sizeUpdate: number | undefined;
  #block = Buffer.allocUnsafe(1_024);
  #length = 0;

  /** Changes with every entry that is added: the bytes of a block that was made before mean something else now. */
  get generation(): number {
    return this.#generation;
  }

  /** What SETTINGS_HEADER_TABLE_SIZE of the peer allows (RFC 7541 §4.2). The table starts anew where that is another size. */
  resize(peerAllows: number): void {
    const size = Math.min(peerAllows, tableSize);
    this.#added.clear();
    this.#names.clear();
    this.#count = 0;
    this.#room = size;
    this.#sizeUpdate = size;
    this.#generation++;
  }

  /** Starts a block. */
  begin(): void {
    this.#length = 0;
    if (this.#sizeUpdate === undefined) return;
    this.#ensure(16);
    // To nothing and up again: whatever the peer has kept is out of both tables.
    this.#writeInteger(0x20, 0x1f, 0);
    this.#writeInteger(0x20, 0x1f, this.#sizeUpdate);
    this.#sizeUpdate = undefined;
  }

  /** How long the block is so far, in bytes. */
  get length(): number {
    return this.#length;
  }

  /** What was written since {@link begin}; the bytes are valid until the next block begins. */
  end(): Buffer {
    return this.#block.subarray(0, this.#length);
  }

  /** Appends a part of an earlier block of the same generation. */
  again(part: Buffer): void {
    this.#ensure(part.length);
    this.#length += part.copy(this.#block, this.#length);
  }

  /** A field that will come again with this value. */
  stable(name: string, value: string): void {
    const known = this.#indexOf(name, value);
    if (known !== undefined) {
      this.#ensure(8);
      return this.#writeInteger(0x80, 0x7f, known);
    }
    const fits = name.length + value.length + entryOverhead <= this.#room;
    this.#writeLiteral(fits ? 0x40 : 0, fits ? 0x3f : 0x0f, name, value);
    if (fits) this.#add(name, value);
  }

  /** A field whose value is another each time. Its name is kept with the first value, if there is room. */
  varying(name: string, value: string): void {
    const known = this.#nameIndexOf(name);
    if (known === undefined && name.length + value.length + entryOverhead <= this.#room / 4) {
      this.#writeLiteral(0x40, 0x3f, name, value);
      return this.#add(name, value);
    }
    this.#writeLiteral(0, 0x0f, name, value);
  }

  /** A field that no table on its way may keep, as whoever shares one could guess at it (RFC 7541 §7.1.3). */
  secret(name: string, value: string): void {
    this.#writeLiteral(0x10, 0x0f, name, value);
  }

  #indexOf(name: string, value: string): number | undefined {
    const key = keyOf(name, value);
    const added = this.#added.get(key);
    return added === undefined ? staticFields.get(key) : staticSize + this.#count - added;
  }

  #nameIndexOf(name: string): number | undefined {
    const added = this.#names.get(name);
    return added === undefined ? staticNames.get(name) : staticSize + this.#count - added;
  }

  #add(name: string, value: string): void {
    this.#room -= name.length + value.length + entryOverhead;
    this.#added.set(keyOf(name, value), this.#count);
    if (!staticNames.has(name)) this.#names.set(name, this.#count);
    this.#count++;
    this.#generation++;
  }

  #writeLiteral(pattern: number, mask: number, name: string, value: string): void {
    this.#ensure(name.length + value.length + 16);
    const index = this.#nameIndexOf(name);
    this.#writeInteger(pattern, mask, index ?? 0);
    if (index === undefined) this.#writeString(name);
    this.#writeString(value);
  }

  #writeString(text: string): void {
    this.#writeInteger(0, 0x7f, text.length);
    if (text.length > 32) {
      this.#length += this.#block.write(text, this.#length, 'latin1');
      return;
    }
    // Below some dozens of characters a loop is quicker than the call into the runtime.
    for (let index = 0; index < text.length; index++) this.#block[this.#length++] = text.charCodeAt(index);
  }

  /** RFC 7541 §5.1 */
  #writeInteger(pattern: number, mask: number, value: number): void {
    if (value < mask) {
      this.#block[this.#length++] = pattern | value;
      return;
    }
    this.#block[this.#length++] = pattern | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) this.#block[this.#length++] = (rest & 0x7f) | 0x80;
    this.#block[this.#length++] = rest;
  }

  #ensure(bytes: number): void {
    if (this.#length + bytes <= this.#block.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes));
    this.#block.copy(larger, 0, 0, this.#length);
    this.#block = larger;
  }
}

function keyOf(name: string, value: string): string {
  return `${name}\0${value}`;
}
