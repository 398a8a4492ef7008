import type { Random } from '@holdfast/core';

/** A copy of `bytes` with one to four of its bits turned over. */
export function flip(random: Random, bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  for (let count = 1 + Math.floor(random() * 4); count > 0; count--)
    flipped[Math.floor(random() * flipped.length)]! ^= 1 << Math.floor(random() * 8);
  return flipped;
}
