import { CallContext, Cancelled, Code, ServiceError } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { FakeClock, settle } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';

describe('a retry’s pause does not hear the abort', () => {
  it('ends at the moment of the abort, with nothing left to wait for', async () => {
    const clock = new FakeClock();
    const resilience = new Resilience({ clock });
    const caller = new AbortController();
    let attempts = 0;
    const fail = async () => {
      attempts++;
      throw new ServiceError(Code.UNAVAILABLE, 'down', { retryAfterMs: 60_000 });
    };
    const call = CallContext.run(new CallContext({ signal: caller.signal }), () =>
      resilience.run('job', fail, { idempotent: true, retry: {} }),
    );
    const ended = expect(call).rejects.toBeInstanceOf(Cancelled);
    await clock.advance(10_000);
    caller.abort();
    await ended;
    expect(clock.now()).toBe(10_000);
    await clock.advance(120_000);
    expect(attempts).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

describe('identical calls after a timed-out one never reach the backend again', () => {
  it('a shared call that hangs holds up those who share it, until its deadline, and nobody after them', async () => {
    const clock = new FakeClock();
    const resilience = new Resilience({ clock });
    let asked = 0;
    const hangOnce = async () => (++asked === 1 ? new Promise<string>(() => {}) : 'answer');
    const ask = () => resilience.run('job', hangOnce, { coalesce: true, timeout: 100 });
    const stuck = Promise.allSettled(Array.from({ length: 10 }, ask));
    await clock.advance(110);
    expect((await stuck).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'rejected'));
    expect(await Promise.all(Array.from({ length: 10 }, ask))).toEqual(Array.from({ length: 10 }, () => 'answer'));
    expect(asked).toBe(2);
    await settle();
  });
});
