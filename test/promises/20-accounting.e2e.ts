import { CallContext, Code, codeFacts, seededRandom, ServiceError, type Random } from '@holdfast/core';
import { outcomes, Resilience, type CallCounters, type RunOptions } from '@holdfast/resilience';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { report } from './fleet.js';

const CALLS = 5_000;
const options: RunOptions<string> = {
  idempotent: true,
  timeout: 120,
  attemptTimeout: 60,
  rateLimit: { rate: 900, burst: 60 },
  bulkhead: { limit: 12, queue: 10, maxWait: 40 },
  retry: { attempts: 2, initialDelay: 10 },
  breaker: { volumeThreshold: 40, errorThresholdPercentage: 30, windowMs: 500, openMs: 100 },
  fallback: { value: 'default' },
  fallbackOn: (error) => error instanceof ServiceError && error.code === Code.INTERNAL,
};

/** A seeded load on a backend that goes through good and bad times; gives back what was counted and what callers saw. */
async function run(seed: number) {
  const clock = new FakeClock();
  const random: Random = seededRandom(seed);
  const resilience = new Resilience({ clock, random });
  const seen: string[] = [];
  const backend = (bad: boolean) => async () => {
    const roll = random();
    await new Promise<void>((resolve) => clock.after(roll < 0.03 ? 90 : 1 + random() * 12, resolve));
    if (roll > (bad ? 0.2 : 0.97)) {
      const code = [Code.UNAVAILABLE, Code.INTERNAL, Code.NOT_FOUND][Math.floor(random() * 3)]!;
      throw new ServiceError(code, codeFacts[code].name);
    }
    return 'answer';
  };
  for (let n = 0; n < CALLS; n++) {
    const caller = new AbortController();
    const bad = n % 1_000 > 700;
    void CallContext.run(new CallContext({ signal: caller.signal }), () =>
      resilience.run('counted', backend(bad), options),
    ).then(
      (value) => seen.push(value),
      (error: ServiceError) => seen.push(error.name),
    );
    if (random() < 0.02) clock.after(random() * 10, () => caller.abort());
    if (random() < 0.7) await clock.advance(Math.floor(random() * 3));
  }
  await clock.advance(5_000);
  const { calls } = resilience.states()['counted']!;
  resilience.close();
  return { calls, seen };
}

const sumOf = (calls: Readonly<CallCounters>) => outcomes.reduce((sum, outcome) => sum + calls[outcome], 0);

describe('promise 20, accounting', () => {
  it('every call ends in exactly one class, the sums match what callers saw, and the same seed gives the same run', async () => {
    const { calls, seen } = await run(20);
    report('20', 'one process', { ...calls, sum: sumOf(calls) });
    expect(seen).toHaveLength(CALLS);
    expect(calls.started).toBe(CALLS);
    expect(sumOf(calls)).toBe(CALLS);
    const saw = (...what: string[]) => seen.filter((one) => what.includes(one)).length;
    expect(calls).toMatchObject({
      ok: saw('answer'),
      fallback: saw('default'),
      timeout: saw('DeadlineExceeded'),
      open: saw('CircuitOpen'),
      full: saw('BulkheadFull'),
      limited: saw('RateLimited'),
      cancelled: saw('Cancelled'),
      error: saw('ServiceError', 'RetriesExhausted'),
    });
    for (const outcome of outcomes) expect(calls[outcome], outcome).toBeGreaterThan(0);
    expect(await run(20)).toEqual({ calls, seen });
    expect((await run(21)).calls).not.toEqual(calls);
  });
});
