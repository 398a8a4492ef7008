import { CallContext, seededRandom } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { report } from './fleet.js';

const LIMIT = 20;
const CALLS = 2_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('promise 14, honest bulkhead', () => {
  it('real concurrent work stays within the limit, timed-out work included, and aborting one call touches no other', async () => {
    const resilience = new Resilience();
    const random = seededRandom(14);
    const options = { timeout: 60, bulkhead: { limit: LIMIT, queue: 100, maxWait: 50 } } as const;
    let running = 0;
    let most = 0;
    let touched = 0;
    /** Every fourth piece of work takes longer than its caller waits, and does not listen to the signal. */
    const work = async (left: AbortController) => {
      const context = CallContext.current()!;
      const { deadline, signal } = context;
      most = Math.max(most, ++running);
      await pause(random() < 0.25 ? 100 + random() * 60 : random() * 10);
      running--;
      if (signal.aborted && !left.signal.aborted && performance.now() < deadline) touched++;
    };
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < CALLS; n++) {
      const left = new AbortController();
      const context = new CallContext({ signal: left.signal });
      calls.push(
        CallContext.run(context, () => resilience.run('work', () => work(left), options)).catch(() => undefined),
      );
      if (random() < 0.1) void pause(random() * 20).then(() => left.abort());
      if (n % 20 === 19) await pause(10);
    }
    await Promise.all(calls);
    await eventually(() => running === 0);
    const { bulkhead, calls: counts } = resilience.states()['work']!;
    report('14', 'one process', {
      limit: LIMIT,
      'most at once': most,
      ...counts,
      'others touched by an abort': touched,
    });
    resilience.close();
    expect(most).toBe(LIMIT);
    expect(touched).toBe(0);
    expect(bulkhead).toEqual({ inUse: 0, queued: 0, limit: LIMIT });
    for (const outcome of ['ok', 'timeout', 'full', 'cancelled'] as const) expect(counts[outcome]).toBeGreaterThan(0);
  });
});
