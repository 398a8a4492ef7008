import { seededRandom } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { frame } from '../../testing/raw-peer.js';
import { FrameReader } from './frame-reader.js';
import { Flag, FrameType } from './frames.js';

/** What was read of a stream: other frames as they are, DATA that follows each other as one. */
function readIn(pieces: readonly Buffer[]): string[] {
  const seen: { type: number; flags: number; id: number; parts: Buffer[] }[] = [];
  const reader = new FrameReader(16_384, (type, flags, id, payload) => {
    const last = seen.at(-1);
    const proceeds = type === FrameType.DATA && last?.type === type && last.id === id && last.flags === 0;
    if (!proceeds) return void seen.push({ type, flags, id, parts: [Buffer.from(payload)] });
    last.flags = flags;
    last.parts.push(Buffer.from(payload));
  });
  for (const piece of pieces) reader.push(piece);
  expect(reader.partial).toBe(false);
  return seen.map(({ type, flags, id, parts }) => `${type} ${flags} ${id} ${Buffer.concat(parts).toString('base64')}`);
}

describe('frames', () => {
  it('say the same, wherever what carries them is cut', () => {
    const random = seededRandom(4_492);
    const below = (most: number) => Math.floor(random() * most);
    for (let round = 0; round < 300; round++) {
      const frames = Array.from({ length: 8 }, (_, index) => {
        const type = below(3) === 0 ? below(10) : FrameType.DATA;
        const flags =
          type === FrameType.DATA ? [Flag.END_STREAM, Flag.PADDED | Flag.END_STREAM][below(2)]! : below(256);
        const length = [0, 1, 100, 2_048, 2_049, 9_000, 16_384][below(7)]!;
        return frame(type, flags, 2 * index + 1, Buffer.alloc(length, 1 + below(255)));
      });
      const session = Buffer.concat(frames);
      const pieces: Buffer[] = [];
      for (let at = 0; at < session.length;) {
        const length = [1, 5, 9, 10, 500, 3_000, 20_000, 65_536][below(8)]!;
        pieces.push(session.subarray(at, at + length));
        at += length;
      }
      expect(readIn(pieces)).toEqual(readIn([session]));
    }
  });

  it('of long DATA are handed over as they come, and end their stream once', () => {
    const lengths: number[] = [];
    const ends: boolean[] = [];
    const reader = new FrameReader(16_384, (_type, flags, _id, payload) => {
      lengths.push(payload.length);
      ends.push((flags & Flag.END_STREAM) !== 0);
    });
    const bytes = frame(FrameType.DATA, Flag.END_STREAM, 1, Buffer.alloc(10_000));
    for (const [from, to] of [
      [0, 4],
      [4, 9],
      [9, 5_009],
      [5_009, 10_008],
      [10_008, 10_009],
    ]) {
      reader.push(bytes.subarray(from, to));
      expect(reader.partial).toBe(to !== 10_009);
    }
    expect(lengths).toEqual([5_000, 4_999, 1]);
    expect(ends).toEqual([false, false, true]);
  });
});
