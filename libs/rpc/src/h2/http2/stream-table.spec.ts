import { seededRandom } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { Stream } from './stream.js';
import { StreamTable } from './stream-table.js';

class Nothing extends Stream {
  constructor(id: number) {
    super();
    this.id = id;
  }
  due(): void {}
  onHeaders(): void {}
  onData(): void {}
  onReset(): void {}
  onLost(): void {}
  onSent(): void {}
}

describe('StreamTable', () => {
  it('finds, lists and loses streams as a Map by their ids does', () => {
    const random = seededRandom(7);
    const table = new StreamTable();
    const map = new Map<number, Stream>();
    for (let id = 1; id < 20_000; id += 2) {
      const stream = new Nothing(id);
      table.add(stream);
      map.set(id, stream);
      // Some stay for long, so that chains have several.
      const ids = [...map.keys()];
      while (map.size > 900 || (map.size > 0 && random() < 0.45)) {
        const gone = ids[Math.floor(random() * ids.length)]!;
        table.remove(gone);
        map.delete(gone);
      }
      const asked = 1 + 2 * Math.floor(random() * (id / 2 + 5));
      if (table.get(asked) !== map.get(asked)) expect.fail(`${asked} differs after ${id}`);
    }
    expect(map.size).toBeGreaterThan(600);
    expect(table.size).toBe(map.size);
    expect(table.list()).toEqual([...map.values()]);
  });

  it('has a stream that is gone hold no other', () => {
    const table = new StreamTable();
    const streams = [1, 513, 1_025].map((id) => new Nothing(id));
    for (const stream of streams) table.add(stream);
    // The last to come is the first of its chain, and points at the others.
    for (const { id } of streams.toReversed()) table.remove(id);
    table.remove(1);
    expect(streams.map(({ nextInChain }) => nextInChain)).toEqual([undefined, undefined, undefined]);
    expect(table.size).toBe(0);
  });
});
