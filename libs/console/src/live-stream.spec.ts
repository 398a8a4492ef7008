import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Code, Journal } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { LiveStream } from './live-stream.js';

/** A reader of the stream, as far as the stream sees one. */
class Reader extends EventEmitter {
  text = '';
  writableNeedDrain = false;
  ended = false;
  destroyed = false;
  readonly response = this as unknown as ServerResponse;
  writeHead = (status: number) => (this.text += `${status}\n`);
  write = (text: string) => void (this.text += text);
  end() {
    this.ended = true;
    this.emit('close');
  }
  destroy() {
    this.destroyed = true;
    this.emit('close');
  }
  get states(): number {
    return this.text.split('event: state').length - 1;
  }
  /** The entries of each `news`. */
  get news(): { whole: boolean; entries: { subject: string }[] }[] {
    return [...this.text.matchAll(/event: news\ndata: (.*)\n/g)].map((match) => JSON.parse(match[1]!) as never);
  }
}

describe('the live stream', () => {
  let clock: FakeClock;
  let journal: Journal;
  let stream: LiveStream;
  let looks: number;

  const open = () => {
    const reader = new Reader();
    stream.open(reader.response);
    return reader;
  };

  beforeEach(() => {
    clock = new FakeClock();
    journal = new Journal({ clock, size: 20 });
    looks = 0;
    stream = new LiveStream({ clock, journal, snapshot: () => ({ look: ++looks }) });
  });

  it('shows at once what is there and has happened, and again every second', async () => {
    journal.note('joined', 'one', 'joined');
    const reader = open();
    expect(reader.states).toBe(1);
    expect(reader.news).toEqual([{ whole: true, entries: [expect.objectContaining({ subject: 'one' })] }]);
    await clock.advance(3_000);
    expect(reader.states).toBe(4);
  });

  it('tells what happens within a tenth of a second, and what happens together, together', async () => {
    const reader = open();
    for (const subject of ['one', 'two']) journal.note('joined', subject, 'joined');
    await clock.advance(100);
    expect(reader.news.slice(1).map(({ whole, entries }) => [whole, entries.length])).toEqual([[false, 2]]);
  });

  it('looks once for all viewers, and not at all while nobody views', async () => {
    await clock.advance(10_000);
    expect(looks).toBe(0);
    const readers = [open(), open(), open()];
    await clock.advance(1_000);
    expect(looks).toBe(4);
    for (const reader of readers) reader.emit('close');
    expect(stream.viewers).toBe(0);
    expect(clock.pending).toBe(0);
    journal.note('joined', 'one', 'joined');
    expect(clock.pending).toBe(0);
  });

  it('has a bounded number of viewers', () => {
    const readers = Array.from({ length: 16 }, open);
    expect(open).toThrow(expect.objectContaining({ code: Code.RESOURCE_EXHAUSTED }) as Error);
    readers[0]!.emit('close');
    expect(open).not.toThrow();
  });

  it('builds up nothing for who cannot follow, who later gets what is still kept, and is dropped after a while', async () => {
    const [slow, quick] = [open(), open()];
    slow.writableNeedDrain = true;
    const before = slow.text.length;
    for (let number = 1; number <= 30; number++) journal.note('joined', `i${number}`, 'joined');
    await clock.advance(5_000);
    expect(slow.text.length).toBe(before);
    expect(quick.states).toBe(6);
    slow.writableNeedDrain = false;
    journal.note('left', 'last', 'left');
    await clock.advance(1_000);
    expect(slow.news.at(-1)!.entries).toHaveLength(20);
    slow.writableNeedDrain = true;
    await clock.advance(17_000);
    expect(slow.destroyed).toBe(true);
    expect(stream.viewers).toBe(1);
  });

  it('ends every stream when it closes, and opens none after that', () => {
    const readers = [open(), open()];
    stream.close();
    expect(readers.map(({ ended }) => ended)).toEqual([true, true]);
    expect(clock.pending).toBe(0);
    expect(open).toThrow(expect.objectContaining({ code: Code.UNAVAILABLE }) as Error);
  });
});
