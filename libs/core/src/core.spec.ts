import { FakeClock, settle } from '@holdfast/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  abortAfter,
  backoffDelay,
  CallContext,
  Cancellation,
  Cell,
  Code,
  codeFacts,
  codeOf,
  codeOfHttpStatus,
  NoInstances,
  seededRandom,
  ServiceError,
  sleep,
  until,
} from './index.js';

describe('time', () => {
  it('sleep ends at its time, or at once with the signal’s reason, and leaves nothing behind', async () => {
    const clock = new FakeClock();
    const order: string[] = [];
    const controller = new AbortController();
    const long = sleep(clock, 100, controller.signal).catch((error: Error) => order.push(error.message));
    void sleep(clock, 50).then(() => order.push('50'));
    await clock.advance(49);
    expect(order).toEqual([]);
    await clock.advance(1);
    controller.abort(new Error('stop'));
    await long;
    expect(order).toEqual(['50', 'stop']);
    expect(clock.pending).toBe(0);
    await expect(sleep(clock, 1, controller.signal)).rejects.toThrow('stop');
  });

  it('abortAfter aborts at its time, or with its parent, and is undone by disposal', async () => {
    const clock = new FakeClock();
    const parent = new AbortController();
    const timed = abortAfter(clock, 10, 'late');
    const child = abortAfter(clock, 10_000, 'late', parent.signal);
    const undone = abortAfter(clock, 10, 'late');
    undone[Symbol.dispose]();
    parent.abort(new Error('gone'));
    await clock.advance(10);
    expect(timed.signal.reason).toEqual(new Error('late'));
    expect(child.signal.reason).toEqual(new Error('gone'));
    expect(undone.signal.aborted).toBe(false);
    expect(abortAfter(clock, 10, 'late', parent.signal).signal.aborted).toBe(true);
  });

  it('backoffDelay stays within its bounds and reaches into both ends of them', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, at) => {
        const delay = backoffDelay(attempt, () => at, { initialMs: 100, minMs: 50, maxMs: 3_000 });
        expect(delay).toBeGreaterThanOrEqual(50);
        expect(delay).toBeLessThanOrEqual(Math.min(3_000, 100 * 2 ** attempt));
      }),
    );
    expect(backoffDelay(3, () => 0)).toBe(0);
    expect(backoffDelay(3, () => 0.5)).toBe(400);
  });
});

describe('Random', () => {
  it('gives one run for one seed, spread over [0, 1)', () => {
    const [a, b, c] = [seededRandom(1), seededRandom(1), seededRandom(2)];
    const drawn = Array.from({ length: 10_000 }, a);
    expect(Array.from({ length: 10_000 }, b)).toEqual(drawn);
    expect(c()).not.toBe(drawn[0]);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
    const buckets = Array.from({ length: 10 }, (_, n) => drawn.filter((x) => Math.floor(x * 10) === n).length);
    for (const size of buckets) expect(size).toBeGreaterThan(850);
  });
});

describe('Live', () => {
  it('tells listeners later values only, and none after they left', () => {
    const cell = new Cell(1);
    const seen: number[] = [];
    const leave = cell.subscribe((value) => {
      seen.push(value);
      if (value === 3) leave();
    });
    for (const value of [1, 2, 2, 3, 4]) cell.set(value);
    expect(seen).toEqual([2, 3]);
    expect(cell.value).toBe(4);
  });

  it('until resolves with the first value that holds, and lets go of the rest', async () => {
    const cell = new Cell(1);
    expect(await until(cell, (value) => value === 1)).toBe(1);
    const three = until(cell, (value) => value === 3);
    cell.set(2);
    cell.set(3);
    cell.set(4);
    expect(await three).toBe(3);
    const controller = new AbortController();
    const never = expect(until(cell, () => false, controller.signal)).rejects.toThrow('stop');
    controller.abort(new Error('stop'));
    await never;
  });
});

describe('codes and errors', () => {
  it('every code has its number’s row, and an HTTP status that maps back to the same class', () => {
    for (const [name, code] of Object.entries(Code)) {
      expect(codeFacts[code].name).toBe(name);
      const back = codeFacts[codeOfHttpStatus(codeFacts[code].http)];
      expect(back.http).toBe(codeFacts[code].http);
    }
    expect(codeOf(5)).toBe(Code.NOT_FOUND);
    expect(codeOf(99)).toBe(Code.UNKNOWN);
    expect(codeOfHttpStatus(418)).toBe(Code.INVALID_ARGUMENT);
    expect(codeOfHttpStatus(502)).toBe(Code.INTERNAL);
  });

  it('an error knows its name, code, reason and status', () => {
    const cause = new Error('refused');
    const error = new NoInstances('user-service', { cause });
    expect(error).toMatchObject({
      name: 'NoInstances',
      code: Code.UNAVAILABLE,
      reason: 'NO_INSTANCES',
      httpStatus: 503,
      cause,
    });
    expect(new ServiceError(Code.NOT_FOUND, 'gone')).toMatchObject({
      reason: 'NOT_FOUND',
      violations: [],
      httpStatus: 404,
    });
  });
});

describe('CallContext', () => {
  it('is current in all that runs for the call, and nowhere else', async () => {
    const context = new CallContext({ requestId: 'r1' });
    const seen = await CallContext.run(context, async () => {
      await settle();
      return CallContext.current();
    });
    expect(seen).toBe(context);
    expect(CallContext.current()).toBeUndefined();
  });

  it('makes its signal once, on first use, and shares it with what is derived', () => {
    let made = 0;
    const controller = new AbortController();
    const context = new CallContext({
      signal: () => {
        made++;
        return controller.signal;
      },
    });
    const derived = context.with({ attempt: 1 });
    expect(made).toBe(0);
    expect(derived.signal).toBe(context.signal);
    expect(made).toBe(1);
    expect(new CallContext().cancellation).toBeUndefined();
    expect(new CallContext().signal.aborted).toBe(false);
  });

  it('turns a Cancellation into a signal when it is asked for one, before or after', () => {
    const cancellation = new Cancellation();
    const before = new CallContext({ signal: cancellation }).signal;
    const after = new CallContext({ signal: cancellation });
    expect(before.aborted).toBe(false);
    cancellation.abort('gone');
    cancellation.abort('again');
    expect([before.reason, after.signal.reason, after.cancellation?.reason]).toEqual(['gone', 'gone', 'gone']);
  });

  it('a Cancellation does not tell one that another listener has just taken off', () => {
    const cancellation = new Cancellation();
    const told: string[] = [];
    const second = { handleEvent: () => void told.push('second') };
    const first = {
      handleEvent() {
        told.push('first');
        cancellation.removeEventListener('abort', second);
      },
    };
    cancellation.addEventListener('abort', first);
    cancellation.addEventListener('abort', second);
    cancellation.abort('gone');
    expect(told).toEqual(['first']);
  });

  it('a Cancellation tells the same listeners in the same order as an AbortSignal does', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 500; round++) {
      const cancellation = new Cancellation();
      const controller = new AbortController();
      const told: [string[], string[]] = [[], []];
      const pairs = ['a', 'b', 'c'].map((name) => told.map((list) => ({ handleEvent: () => void list.push(name) })));
      for (let step = 0; step < 6; step++) {
        const [ours, theirs] = pairs[Math.floor(random() * 3)]!;
        if (random() < 0.6) {
          cancellation.addEventListener('abort', ours!);
          controller.signal.addEventListener('abort', theirs!);
        } else {
          cancellation.removeEventListener('abort', ours!);
          controller.signal.removeEventListener('abort', theirs!);
        }
      }
      cancellation.abort('gone');
      controller.abort('gone');
      expect(told[0]).toEqual(told[1]);
    }
  });

  it('a Cancellation tells who listens, once, and nobody who left', () => {
    const cancellation = new Cancellation();
    const told: string[] = [];
    const [stays, leaves] = ['stays', 'leaves'].map((name) => ({ handleEvent: () => void told.push(name) }));
    cancellation.addEventListener('abort', stays!);
    cancellation.addEventListener('abort', leaves!);
    cancellation.removeEventListener('abort', leaves!);
    cancellation.abort(new Error('gone'));
    cancellation.addEventListener('abort', leaves!);
    expect(told).toEqual(['stays']);
  });

  it('only ever shortens a deadline, and keeps what is not changed', () => {
    const clock = new FakeClock();
    const tried = new Set(['a']);
    const context = new CallContext({ deadline: 100, requestId: 'r1', tried, hashKey: 'k' });
    expect(context.with({ deadline: 500 }).deadline).toBe(100);
    expect(context.with({ deadline: 50 })).toMatchObject({ deadline: 50, requestId: 'r1', hashKey: 'k', attempt: 0 });
    expect(context.with({ attempt: 2 }).tried).toBe(tried);
    expect(context.remaining(clock)).toBe(100);
    expect(new CallContext().remaining(clock)).toBe(Infinity);
    expect(new CallContext({ deadline: -5 }).remaining(clock)).toBe(0);
  });
});
