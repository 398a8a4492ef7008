import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Journal, type JournalEntry } from './index.js';

describe('the journal', () => {
  it('keeps what was noted, in order, with the wall time and a number', async () => {
    const clock = new FakeClock();
    const journal = new Journal({ clock });
    journal.note('opened', 'users.get', 'opened', '12 of 20 calls failed');
    await clock.advance(1_000);
    journal.note('closed', 'users.get', 'closed');
    expect(journal.recent()).toEqual([
      { number: 1, at: clock.wallOffset, kind: 'opened', subject: 'users.get', what: 'opened', why: '12 of 20 calls failed' },
      { number: 2, at: clock.wallOffset + 1_000, kind: 'closed', subject: 'users.get', what: 'closed' },
    ]); // prettier-ignore
    expect(journal.recent(1).map(({ number }) => number)).toEqual([2]);
    expect(journal.recent(2)).toEqual([]);
  });

  it('forgets the oldest beyond its size, and gives no more than it has to whoever has slept longer', () => {
    const journal = new Journal({ clock: new FakeClock(), size: 3 });
    for (let number = 1; number <= 8; number++) journal.note('joined', `i${number}`, 'joined');
    expect(journal.recent().map(({ subject }) => subject)).toEqual(['i6', 'i7', 'i8']);
    expect(journal.recent(2).map(({ number }) => number)).toEqual([6, 7, 8]);
  });

  it('cuts what is too long for a line', () => {
    const journal = new Journal({ clock: new FakeClock() });
    journal.note('refused', 'x'.repeat(1_000), 'y'.repeat(1_000), 'z'.repeat(1_000));
    const [{ subject, what, why }] = journal.recent() as [JournalEntry];
    for (const text of [subject, what, why!]) expect(text).toHaveLength(301);
  });

  it('tells those who listen until they leave, also while they are told', () => {
    const journal = new Journal({ clock: new FakeClock() });
    const told: string[] = [];
    const leave = journal.subscribe(({ subject }) => {
      told.push(`a ${subject}`);
      leave();
    });
    journal.subscribe(({ subject }) => told.push(`b ${subject}`));
    journal.note('joined', 'one', 'joined');
    journal.note('joined', 'two', 'joined');
    expect(told).toEqual(['a one', 'b one', 'b two']);
  });
});
