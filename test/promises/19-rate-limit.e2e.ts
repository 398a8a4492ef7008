import { RateLimited, systemClock, type Clock } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { describe, expect, it } from 'vitest';
import { report } from './fleet.js';

const RATE = 500;
const BURST = 20;
const SPAN_MS = 3_000;

describe('promise 19, rate limit in one process', () => {
  it('is met within 5 % under pressure, and a clock that is set lets no more than one burst through', async () => {
    let offset = 0;
    const clock: Clock = { ...systemClock, wallTime: () => Date.now() + offset };
    const resilience = new Resilience({ clock });
    const options = { rateLimit: { rate: RATE, burst: BURST } };
    const startedAt = performance.now();
    const admittedAt: number[] = [];
    let refused = 0;
    while (performance.now() - startedAt < SPAN_MS) {
      // The wall clock jumps an hour to and fro all the while.
      offset = offset > 0 ? -3_600_000 : 3_600_000;
      for (let n = 0; n < 20; n++) {
        await resilience
          .run('limited', () => admittedAt.push(performance.now()), options)
          .catch((error: unknown) => (error instanceof RateLimited ? refused++ : Promise.reject(error)));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const steady = (admittedAt.length - BURST) / seconds;
    let above = 0;
    for (const [from, start] of admittedAt.entries()) {
      const within = admittedAt.slice(from).filter((at) => at - start < 1_000).length;
      above = Math.max(above, within - RATE);
    }
    report('19', 'one process', {
      rate: RATE,
      'steady rate': steady.toFixed(1),
      'most above it in any second': above,
      burst: BURST,
      refused,
    });
    resilience.close();
    expect(Math.abs(steady - RATE) / RATE).toBeLessThanOrEqual(0.05);
    expect(above).toBeLessThanOrEqual(BURST + 1);
    expect(refused).toBeGreaterThan(0);
  });
});
