import { Code, Cell, Journal, seededRandom, ServiceError } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { CallWindow } from './call-window.js';
import { Resilience, type ResilienceSpec } from './index.js';

describe('the window of a name’s calls', () => {
  it('gives rate, share of failures and percentiles of the last ten seconds', async () => {
    const clock = new FakeClock();
    const window = new CallWindow();
    for (let second = 0; second < 20; second++) {
      for (let call = 0; call < 20; call++) {
        window.advance(clock.now());
        if (call < 2) window.failed(200);
        else window.succeeded(4);
      }
      await clock.advance(1_000);
    }
    const { rate, errorRate, p50, p99 } = window.summary(clock.now());
    expect(rate).toBeCloseTo(20, 0);
    expect(errorRate).toBeCloseTo(0.1, 5);
    expect(Math.abs(p50! / 4 - 1)).toBeLessThanOrEqual(1 / 8);
    expect(Math.abs(p99! / 200 - 1)).toBeLessThanOrEqual(1 / 8);
  });

  it.each([0.1, 1, 3.3, 47, 999, 12_345, 64_000])('tells a duration of %d ms within an eighth', (ms) => {
    const window = new CallWindow();
    window.advance(0);
    window.succeeded(ms);
    expect(Math.abs(window.summary(0).p50! / ms - 1)).toBeLessThanOrEqual(1 / 8);
  });

  it('counts refused calls as failed, without a duration', () => {
    const window = new CallWindow();
    window.advance(0);
    window.refused();
    window.refused();
    expect(window.summary(0)).toMatchObject({ errorRate: 1, p50: null, p99: null });
  });

  it('shows the minute in thirty slices, the oldest first, and forgets what is older', async () => {
    const clock = new FakeClock();
    const window = new CallWindow();
    window.advance(clock.now());
    window.succeeded(1);
    await clock.advance(30_000);
    window.advance(clock.now());
    window.failed(9);
    const trendNow = () => window.summary(clock.now()).trend;
    expect(trendNow().calls).toHaveLength(30);
    expect([trendNow().calls[14], trendNow().calls[29], trendNow().failed[29]]).toEqual([1, 1, 1]);
    expect(trendNow().p50[20]).toBeNull();
    await clock.advance(30_000);
    expect(trendNow().calls.filter((calls) => calls > 0)).toEqual([1]);
    await clock.advance(40_000);
    expect(trendNow().calls.every((calls) => calls === 0)).toBe(true);
    expect(window.summary(clock.now())).toMatchObject({ rate: 0, errorRate: 0, p50: null });
  });

  it('has nothing, and costs nothing, before the first call', () => {
    expect(new CallWindow().summary(5_000)).toMatchObject({ rate: 0, errorRate: 0, p50: null, p99: null });
  });
});

const opened = () => {
  const clock = new FakeClock();
  const journal = new Journal({ clock });
  let spec: Cell<ResilienceSpec> | undefined;
  const resilience = new Resilience({
    clock,
    journal,
    random: seededRandom(1),
    specOf: (_name, defaults) => (spec = new Cell(defaults)),
  });
  return {
    clock,
    journal,
    resilience,
    change: (fields: Partial<ResilienceSpec>) => spec!.set({ ...spec!.value, ...fields }),
  };
};
const breaker = { volumeThreshold: 2, openMs: 1_000, maxOpenMs: 1_000 };
const fails = (code: Code) => () => Promise.reject(new ServiceError(code, 'no'));
const told = ({ journal }: { journal: Journal }) =>
  journal.recent().map(({ what, why }) => (why ? `${what}: ${why}` : what));
const work = async () => 'well';

describe('what operators see of a name, and do to it', () => {
  it('a call lasts from when it came in, its wait and its attempts included', async () => {
    const { clock, resilience } = opened();
    const slow = () => new Promise((resolve) => clock.after(40, () => resolve('slow')));
    const calls = [1, 2].map(() => resilience.run('a', slow, { bulkhead: { limit: 1, queue: 1, maxWait: '1s' } }));
    await clock.advance(100);
    await Promise.all(calls);
    const { p50, p99 } = resilience.summaries()['a']!;
    expect(Math.abs(p50! / 40 - 1)).toBeLessThanOrEqual(1 / 8);
    expect(Math.abs(p99! / 80 - 1)).toBeLessThanOrEqual(1 / 8);
  });

  it('counts what failed though a fallback answered, not what was the caller’s mistake, nor what was given up', async () => {
    const { resilience } = opened();
    const options = { fallback: { value: 'default' } };
    await resilience.run('a', fails(Code.UNAVAILABLE), options);
    await resilience.run('a', fails(Code.NOT_FOUND)).catch(() => undefined);
    await resilience.run('a', fails(Code.CANCELLED)).catch(() => undefined);
    await resilience.run('a', async () => 'well');
    expect(resilience.summaries()['a']!.trend).toMatchObject({
      calls: expect.arrayContaining([3]) as number[],
      failed: expect.arrayContaining([1]) as number[],
    });
  });

  it('notes when a breaker opens, lets a probe through and closes, and why', async () => {
    const all = opened();
    const { clock, resilience } = all;
    for (const code of [Code.UNAVAILABLE, Code.UNAVAILABLE]) {
      await resilience.run('a', fails(code), { breaker }).catch(() => undefined);
    }
    await clock.advance(1_200);
    await resilience.run('a', fails(Code.UNAVAILABLE)).catch(() => undefined);
    await clock.advance(1_200);
    await resilience.run('a', async () => 'well');
    resilience.states();
    expect(told(all)).toEqual([
      'opened: 2 of 2 calls failed',
      'lets a probe through',
      'opened: its probe failed',
      'lets a probe through',
      'closed: its probes succeeded',
    ]);
  });

  it('held open by hand, it refuses every call, with or without a breaker, until that is taken back', async () => {
    const { resilience, change } = opened();
    await resilience.run('a', work, {});
    expect(resilience.force('a', 'open')).toBe(true);
    await expect(resilience.run('a', work)).rejects.toMatchObject({ reason: 'CIRCUIT_OPEN', message: expect.stringContaining('An operator') as string }); // prettier-ignore
    change({ coalesce: true });
    await expect(resilience.run('a', work)).rejects.toMatchObject({ reason: 'CIRCUIT_OPEN' });
    expect(resilience.states()['a']).toMatchObject({ forced: 'open', breaker: 'open' });
    resilience.force('a', 'auto');
    await expect(resilience.run('a', work)).resolves.toBe('well');
    expect(resilience.states()['a']).not.toHaveProperty('forced');
    expect(resilience.force('nothing', 'open')).toBe(false);
  });

  it('held closed, it lets every call through, and learns nothing of them', async () => {
    const all = opened();
    const { resilience } = all;
    await resilience.run('a', async () => 'well', { breaker });
    resilience.force('a', 'closed');
    for (let call = 0; call < 10; call++) {
      await expect(resilience.run('a', fails(Code.UNAVAILABLE))).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    }
    expect(resilience.states()['a']).toMatchObject({ forced: 'closed' });
    resilience.force('a', 'auto');
    await settle();
    expect(resilience.states()['a']!.breaker).toBe('closed');
    expect(told(all)).toEqual([]);
  });

  it('a probe that is under way when it is held closed changes nothing afterwards but its own place', async () => {
    const { clock, resilience } = opened();
    for (let call = 0; call < 2; call++)
      await resilience.run('a', fails(Code.UNAVAILABLE), { breaker }).catch(() => undefined);
    await clock.advance(1_200);
    let answer!: (value: string) => void;
    const probe = resilience.run('a', () => new Promise<string>((resolve) => (answer = resolve)));
    resilience.force('a', 'closed');
    answer('well');
    await expect(probe).resolves.toBe('well');
    resilience.force('a', 'auto');
    expect(resilience.states()['a']!.breaker).toBe('halfOpen');
    await clock.advance(10_000);
    await clock.advance(2_000);
    await expect(resilience.run('a', async () => 'well')).resolves.toBe('well');
    expect(resilience.states()['a']!.breaker).toBe('closed');
  });
});
