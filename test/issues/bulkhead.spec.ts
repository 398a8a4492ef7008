import { CallContext, Cancelled, Code, DeadlineExceeded, ServiceError } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { FakeClock, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';

let clock: FakeClock;
let resilience: Resilience;

beforeEach(() => {
  clock = new FakeClock();
  resilience = new Resilience({ clock, random: () => 0.5 });
});

const inUse = () => resilience.states()['job']!.bulkhead!.inUse;

describe('opossum: a timeout frees the capacity slot while the work runs on', () => {
  it('of 30 calls to work that never ends, no more than the capacity of 2 is ever under way', async () => {
    let running = 0;
    const hang = () => {
      running++;
      return new Promise(() => {});
    };
    for (let n = 0; n < 30; n++) {
      const call = resilience.run('job', hang, { timeout: 100, bulkhead: { limit: 2 } });
      await expect(Promise.race([call, clock.advance(110).then(() => call)])).rejects.toBeInstanceOf(ServiceError);
    }
    expect(running).toBe(2);
    expect(resilience.states()['job']!.calls).toMatchObject({ timeout: 2, full: 28 });
  });
});

describe('opossum: one timeout aborts the controller of all calls of the breaker', () => {
  it('a call that times out leaves the signal of its neighbours alone', async () => {
    const signals: AbortSignal[] = [];
    const listen = () => {
      signals.push(CallContext.current()!.signal);
      return new Promise<never>(() => {});
    };
    const calls = [0, 50].map(async (startsAt) => {
      await clock.advance(startsAt);
      return resilience.run('job', listen, { timeout: 100, breaker: {} });
    });
    const first = expect(calls[0]).rejects.toBeInstanceOf(DeadlineExceeded);
    const second = expect(calls[1]).rejects.toBeInstanceOf(DeadlineExceeded);
    await settle();
    await clock.advance(60);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await clock.advance(60);
    await Promise.all([first, second]);
  });
});

describe('a retry inside a bulkhead leaks permits', () => {
  it('after attempts that failed, hung, were refused or cancelled, every permit is back', async () => {
    const options = {
      idempotent: true,
      timeout: 500,
      attemptTimeout: 50,
      retry: { attempts: 3 },
      bulkhead: { limit: 3 },
    };
    const hung: ((value: unknown) => void)[] = [];
    const works = [
      () => Promise.reject(new ServiceError(Code.UNAVAILABLE, 'down')),
      () => new Promise((resolve) => hung.push(resolve)),
      () => {
        throw new TypeError('a bug');
      },
    ];
    for (let round = 0; round < 20; round++) {
      const caller = new AbortController();
      const context = new CallContext({ signal: caller.signal });
      const calls = works.map((work) => CallContext.run(context, () => resilience.run('job', work, options)));
      const settled = Promise.allSettled(calls);
      await clock.advance(round * 30);
      caller.abort(new Cancelled('left'));
      await clock.advance(1_000);
      for (const end of hung.splice(0)) end('late');
      await settled;
      expect(inUse()).toBe(0);
    }
  });
});
