import { Cell, seededRandom, ServiceError, Code, TICK_MS, TimerWheel, WheelEntry } from '@holdfast/core';
import { FakeClock, runs } from '@holdfast/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { AnswerCache } from './cache.js';
import { Bulkhead, type Waiting } from './bulkhead.js';
import { duration } from './duration.js';
import { retryDelay, retrySpec } from './retry.js';
import { TokenBucket } from './token-bucket.js';

describe('duration', () => {
  it.each([
    [250, 250],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['60m', 3_600_000],
  ])('reads %j as %d ms', (written, ms) => {
    expect(duration(0).parse(written)).toBe(ms);
  });

  it.each(['', '1', '1h', '-1s', '1 s', 's', -1, 3_600_001, '61m', Number.NaN, null, { toString: () => '1s' }])(
    'refuses %j',
    (written) => {
      expect(duration(0).safeParse(written).success).toBe(false);
    },
  );
});

describe('TimerWheel', () => {
  class Alarm extends WheelEntry {
    readonly rang: number[] = [];
    onDue: ((now: number) => void) | undefined;
    due(now: number): void {
      this.rang.push(now);
      this.onDue?.(now);
    }
  }

  it('tells every entry once, in time, however entries come and go', async () => {
    const delay = fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.integer({ min: 0, max: 20_000 }));
    const step = fc.record({ delay, removed: fc.boolean(), pause: fc.integer({ min: 0, max: 3_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const clock = new FakeClock();
        const wheel = new TimerWheel(clock);
        const alarms: { alarm: Alarm; at: number; removedAt: number }[] = [];
        for (const { delay: ms, removed, pause } of steps) {
          const alarm = new Alarm();
          wheel.add(alarm, clock.now() + ms);
          const entry = { alarm, at: clock.now() + ms, removedAt: Infinity };
          alarms.push(entry);
          await clock.advance(pause);
          if (!removed) continue;
          wheel.remove(alarm);
          entry.removedAt = clock.now();
        }
        await clock.advance(21_000);
        for (const { alarm, at, removedAt } of alarms) {
          if (removedAt < at) expect(alarm.rang).toEqual([]);
          else if (removedAt > at + TICK_MS) {
            expect(alarm.rang).toHaveLength(1);
            expect(alarm.rang[0]).toBeGreaterThanOrEqual(at);
            expect(alarm.rang[0]).toBeLessThanOrEqual(at + TICK_MS);
          }
        }
        expect(clock.pending).toBe(0);
      }),
      { numRuns: runs(60) },
    );
  });

  it('does not tell what was removed by one that was told at the same time', async () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const [first, second] = [new Alarm(), new Alarm()];
    for (const [one, other] of [
      [first, second],
      [second, first],
    ] as const) {
      one.onDue = () => wheel.remove(other);
      wheel.add(one, 10);
    }
    await clock.advance(100);
    expect(first.rang.length + second.rang.length).toBe(1);
  });

  it('has one timer for all, and an entry that is told may wait again', async () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const alarm = new Alarm();
    alarm.onDue = (now) => alarm.rang.length < 3 && wheel.add(alarm, now + 100);
    for (let n = 0; n < 100; n++) wheel.add(new Alarm(), 50 + n);
    wheel.add(alarm, 10);
    expect(clock.pending).toBe(1);
    await clock.advance(1_000);
    expect(alarm.rang).toEqual([12, 112, 212]);
  });
});

it('a duration that is refused is told its bounds', () => {
  const { error } = duration(5).safeParse(4);
  expect(error!.issues[0]!.message).toContain('from 5ms to 60m');
});

describe('a TimerWheel', () => {
  class Alarm extends WheelEntry {
    rang: number[] = [];
    due(now: number): void {
      this.rang.push(now);
    }
  }

  it('is right also where its clock did not start with it', async () => {
    const clock = new FakeClock();
    await clock.advance(100_000);
    const wheel = new TimerWheel(clock);
    const alarm = new Alarm();
    wheel.add(alarm, 100_100);
    await clock.advance(100);
    expect(alarm.rang).toEqual([100_100]);
  });

  it('makes no other timer for what is due at the same time, or later', () => {
    const clock = new FakeClock();
    const after = vi.spyOn(clock, 'after');
    const wheel = new TimerWheel(clock);
    for (const at of [50, 50, 51, 1_000]) wheel.add(new Alarm(), at);
    expect(after).toHaveBeenCalledTimes(1);
  });

  it('looks at each slot once after a standstill, however long', () => {
    let now = 0;
    const timers: (() => void)[] = [];
    const wheel = new TimerWheel({
      now: () => now,
      wallTime: () => now,
      after: (_ms, task) => {
        timers.push(task);
        return { cancel: () => {} };
      },
    });
    const alarms = [10, 5_000, 1e13].map((at) => {
      const alarm = new Alarm();
      wheel.add(alarm, at);
      return alarm;
    });
    now = 1e12;
    timers.at(-1)!();
    expect(alarms.map(({ rang }) => rang)).toEqual([[1e12], [1e12], []]);
  });

  it('can be closed while nothing waits, and tells nobody after', async () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    wheel.close();
    const alarm = new Alarm();
    wheel.add(alarm, 10);
    wheel.close();
    await clock.advance(100);
    expect(alarm.rang).toEqual([]);
  });
});

function open(spec: { rate: number; burst?: number; maxWait?: number }) {
  const clock = new FakeClock();
  const live = new Cell({ burst: undefined, maxWait: 0, ...spec });
  return { clock, live, bucket: new TokenBucket(live, clock) };
}

describe('TokenBucket', () => {
  it('never lets more start in any span than rate and burst allow, and wastes nothing under pressure', async () => {
    const schedule = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 60 }), back: fc.boolean() }), {
      minLength: 50,
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(
        schedule,
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(0, 300),
        async (calls, burst, maxWait) => {
          const { clock, bucket } = open({ rate: 50, burst, maxWait });
          const turns: number[] = [];
          for (const { gap, back } of calls) {
            await clock.advance(gap);
            const now = clock.now();
            const turn = bucket.take(now, Infinity);
            expect(turn === Infinity || turn <= now + maxWait).toBe(true);
            if (back && turn > now && turn < Infinity) bucket.giveBack(turn, now);
            else if (turn < Infinity) turns.push(turn);
          }
          turns.sort((a, b) => a - b);
          let most = -Infinity;
          for (let from = 0; from < turns.length; from++) {
            for (let to = from; to < turns.length; to++) {
              const allowed = burst + (turns[to]! - turns[from]!) * 0.05;
              most = Math.max(most, to - from + 1 - allowed);
            }
          }
          expect(most).toBeLessThanOrEqual(1e-6);
        },
      ),
      { numRuns: runs(40) },
    );
  });

  it('keeps its tokens when rate and burst change, at the former rate until then', async () => {
    const { clock, live, bucket } = open({ rate: 10, burst: 10 });
    for (let n = 0; n < 10; n++) bucket.take(0, Infinity);
    await clock.advance(200);
    live.set({ rate: 1_000, burst: 20, maxWait: 0 });
    expect(bucket.tokens).toBe(2);
    await clock.advance(5);
    expect(bucket.tokens).toBe(7);
    live.set({ rate: 1_000, burst: 3, maxWait: 0 });
    expect(bucket.tokens).toBe(3);
  });

  it('knows nothing of the wall clock', async () => {
    const { clock, bucket } = open({ rate: 10, burst: 2 });
    bucket.take(0, Infinity);
    for (const step of [3_600_000, -7_200_000]) {
      clock.wallOffset += step;
      expect(bucket.tokens).toBe(1);
    }
  });

  it.each([
    [1_000, 100],
    [25, 3],
    [14, 1],
    [0.5, 1],
  ])('of %d calls a second lets a tenth of a second’s worth start at once: %d', (rate, burst) => {
    expect(open({ rate }).bucket.tokens).toBe(burst);
  });

  it('gives the present moment while it has tokens, also where that is behind another’s', () => {
    const { bucket } = open({ rate: 10, burst: 3 });
    expect([bucket.take(100, Infinity), bucket.take(50, Infinity), bucket.take(100, Infinity)]).toEqual([100, 50, 100]);
    expect(bucket.take(100, Infinity)).toBe(Infinity);
  });

  it('gives a turn as late as maxWait allows, not later', () => {
    const { bucket } = open({ rate: 10, burst: 1, maxWait: 200 });
    expect([0, 1, 2, 3].map(() => bucket.take(0, Infinity))).toEqual([0, 100, 200, Infinity]);
  });

  describe('with a turn that is given back', () => {
    const queued = () => {
      const opened = open({ rate: 10, burst: 1, maxWait: 1_000 });
      expect([0, 1, 2, 3].map(() => opened.bucket.take(0, Infinity))).toEqual([0, 100, 200, 300]);
      return opened;
    };

    it('gives it again where no later turn relies on it', () => {
      const { bucket } = queued();
      bucket.giveBack(300, 0);
      bucket.giveBack(200, 0);
      expect([bucket.take(0, Infinity), bucket.take(0, Infinity)]).toEqual([200, 300]);
    });

    it('gives none where later turns do, which stay as they are', () => {
      const { bucket } = queued();
      bucket.giveBack(200, 0);
      bucket.giveBack(100, 0);
      expect(bucket.take(0, Infinity)).toBe(400);
    });

    it('gives none for a turn that has come', async () => {
      const { clock, bucket } = queued();
      bucket.giveBack(300, 0);
      bucket.giveBack(200, 0);
      await clock.advance(100);
      bucket.giveBack(100, 100);
      expect(bucket.tokens).toBe(0);
    });

    it('counts what later turns rely on at the present rate', () => {
      const { live, bucket } = queued();
      live.set({ ...live.value, rate: 5 });
      bucket.giveBack(200, 0);
      expect(bucket.tokens).toBe(-2.5);
      bucket.giveBack(300, 0);
      expect(bucket.tokens).toBe(-1.5);
    });
  });

  it('gives no turn past the deadline, and takes nothing for it', () => {
    const { bucket } = open({ rate: 10, burst: 1, maxWait: 1_000 });
    expect(bucket.take(0, Infinity)).toBe(0);
    expect(bucket.take(0, 99)).toBe(Infinity);
    expect(bucket.take(0, 100)).toBe(100);
    expect(bucket.readyInMs(0)).toBe(200);
  });
});

describe('Bulkhead', () => {
  it('never has more inside than its limit, refuses only when full, and admits in order', () => {
    const step = fc.constantFrom('enter', 'exit', 'leave', 'limit 1', 'limit 4');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const live = new Cell({ limit: 2, queue: 3, maxWait: 1_000 });
        const bulkhead = new Bulkhead(live);
        const waiting: (Waiting & { id: number })[] = [];
        const admitted: number[] = [];
        let inside = 0;
        for (const [id, what] of steps.entries()) {
          const before = inside;
          if (what === 'exit' && inside > 0) {
            inside--;
            bulkhead.exit();
          } else if (what === 'leave') {
            const one = waiting.splice(id % (waiting.length || 1), 1)[0];
            if (one) bulkhead.leave(one);
          } else if (what.startsWith('limit')) {
            live.set({ ...live.value, limit: Number(what.slice(6)) });
          } else if (what === 'enter') {
            if (bulkhead.tryEnter()) inside++;
            else {
              const one = { id, admitted: () => void (inside++, admitted.push(id), waiting.shift()) };
              expect(inside >= live.value.limit || waiting.length > 0).toBe(true);
              if (bulkhead.wait(one)) waiting.push(one);
              else expect(waiting).toHaveLength(3);
            }
          }
          // A limit that was lowered lets nobody in until it is met.
          expect(inside).toBeLessThanOrEqual(Math.max(live.value.limit, before));
          expect([bulkhead.inUse, bulkhead.queued]).toEqual([inside, waiting.length]);
          expect(waiting.length === 0 || inside >= live.value.limit).toBe(true);
        }
        expect(admitted).toEqual(admitted.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe('a bulkhead whose limit was raised', () => {
  it('lets nobody overtake those who wait, not even who comes while they are let in', () => {
    const live = new Cell({ limit: 1, queue: 3, maxWait: 1_000 });
    const bulkhead = new Bulkhead(live);
    const entered: unknown[] = [bulkhead.tryEnter()];
    bulkhead.wait({ admitted: () => entered.push(bulkhead.tryEnter()) });
    bulkhead.wait({ admitted: () => entered.push('second') });
    live.set({ ...live.value, limit: 4 });
    expect(entered).toEqual([true, false, 'second']);
    expect(bulkhead.tryEnter()).toBe(true);
  });
});

describe('retry pauses', () => {
  it('double up to their bound, at random below it, and respect what was asked for', () => {
    const spec = retrySpec.parse({ initialDelay: 100, maxDelay: 300 });
    const asked = new ServiceError(Code.UNAVAILABLE, 'later', { retryAfterMs: 250 });
    const most = [1, 2, 3].map((attempt) => retryDelay(new Error('x'), attempt, spec, () => 0.999_999));
    expect(most.map(Math.round)).toEqual([100, 200, 300]);
    const random = seededRandom(1);
    const drawn = Array.from({ length: 1_000 }, () => retryDelay(asked, 3, spec, random));
    expect(Math.min(...drawn)).toBe(250);
    expect(Math.max(...drawn)).toBeGreaterThan(290);
  });
});

describe('AnswerCache', () => {
  it('keeps the answers that were used last, and each only for its time', () => {
    const cache = new AnswerCache(new Cell({ ttl: 100, maxEntries: 2, staleIfError: 50 }));
    cache.keep('a', 1, 0);
    cache.keep('b', undefined, 0);
    expect(cache.fresh('a', 99)).toMatchObject({ value: 1 });
    cache.keep('c', 3, 99);
    expect(cache.fresh('b', 99)).toBeUndefined();
    expect(cache.size).toBe(2);
    expect(cache.fresh('a', 100)).toBeUndefined();
    expect(cache.stale('a', 149)).toMatchObject({ value: 1 });
    expect(cache.stale('a', 150)).toBeUndefined();
  });

  it('counts an answer’s time from when it was given', () => {
    const cache = new AnswerCache(new Cell({ ttl: 100, maxEntries: 2, staleIfError: 0 }));
    cache.keep('a', 1, 1_000);
    expect(cache.fresh('a', 1_099)).toMatchObject({ value: 1 });
    expect(cache.fresh('a', 1_100)).toBeUndefined();
    expect(cache.stale('a', 1_100)).toBeUndefined();
  });
});
