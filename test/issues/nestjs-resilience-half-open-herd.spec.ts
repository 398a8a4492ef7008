import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// nestjs-resilience, half-open, lets everyone through until the first outcome is in: 300 of 300 callers.
it.each([1, 5])('of 300 callers at once, %i are probes and the rest are refused', async (probes) => {
  const { clock, breaker, call } = breakerOnFakeClock({ probes });
  call('failed', 20);
  await clock.advance(5_000);
  let through = 0;
  let refused = 0;
  for (let caller = 0; caller < 300; caller++) {
    try {
      breaker.enter();
      through++;
    } catch {
      refused++;
    }
  }
  expect([through, refused]).toEqual([probes, 300 - probes]);
});
