import { HpackError } from './hpack-error.js';

/**
 * How many bits each byte's code has, and at 256 the end-of-string mark's (RFC 7541, Appendix B). The code is canonical:
 * shorter codes come first and equal ones in the order of their symbols, so the lengths say everything.
 */
// prettier-ignore
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const endOfString = 256;

/** An inner node of the code's tree: what a 0 and a 1 lead to. Symbols are negative, as `-1 - symbol`. */
const tree: [number, number][] = [[0, 0]];
/** For each inner node, whether the bits that led there are a legal rest: all ones, and fewer than eight (RFC 7541 §5.2). */
const mayEnd: boolean[] = [true];

function addCode(symbol: number, code: number, length: number): void {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit--) {
    const side = (code >>> bit) & 1;
    let next = tree[node]![side]!;
    if (next === 0) {
      next = tree.push([0, 0]) - 1;
      tree[node]![side] = next;
      mayEnd[next] = mayEnd[node]! && side === 1 && length - bit < 8;
    }
    node = next;
  }
  tree[node]![code & 1] = -1 - symbol;
}

const symbols = lengths.map((length, symbol) => ({ length, symbol }));
let nextCode = 0;
let codeLength = 0;
for (const { length, symbol } of symbols.sort((a, b) => a.length - b.length || a.symbol - b.symbol)) {
  nextCode <<= length - codeLength;
  codeLength = length;
  addCode(symbol, nextCode++, length);
}

/** A step of the decoder takes four bits: where they lead, and, above `symbolShift`, what they complete plus one. */
const steps = new Int32Array(tree.length * 16);
const symbolShift = 9;
const dead = -1;

for (let node = 0; node < tree.length; node++) {
  for (let bits = 0; bits < 16; bits++) {
    let at = node;
    let completed = 0;
    for (let bit = 3; bit >= 0; bit--) {
      const next = tree[at]![(bits >>> bit) & 1]!;
      // No code is shorter than five bits, so four complete one at most.
      if (next < 0) completed = -next;
      at = next < 0 ? 0 : next;
    }
    steps[node * 16 + bits] = completed === endOfString + 1 ? dead : (completed << symbolShift) | at;
  }
}

let decoded = Buffer.allocUnsafe(4_096);

/**
 * The text in `bytes[start, end)`.
 * @throws HpackError for the end-of-string mark in the text and for a rest that is no padding (RFC 7541 §5.2)
 */
export function huffmanText(bytes: Buffer, start: number, end: number): string {
  // The shortest code has five bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  if (most > decoded.length) decoded = Buffer.allocUnsafe(most);
  let length = 0;
  let node = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    for (let shift = 4; shift >= 0; shift -= 4) {
      const step = steps[node * 16 + ((byte >>> shift) & 15)]!;
      if (step === dead) throw new HpackError('The end-of-string mark is inside of a string.');
      const completed = step >>> symbolShift;
      if (completed !== 0) decoded[length++] = completed - 1;
      node = step & ((1 << symbolShift) - 1);
    }
  }
  if (!mayEnd[node]) throw new HpackError('A string ends in the middle of a code.');
  return decoded.toString('latin1', 0, length);
}
