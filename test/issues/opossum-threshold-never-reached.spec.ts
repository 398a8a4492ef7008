import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// opossum opens above its percentage only: at 100 it never opens, and at 50 not when half of the calls fail.
it.each([
  [100, 0],
  [50, 10],
])('opens at %i percent, not only above', (errorThresholdPercentage, successes) => {
  const { breaker, call } = breakerOnFakeClock({ errorThresholdPercentage });
  call('succeeded', successes);
  call('failed', 20 - successes);
  expect(breaker.state).toBe('open');
});
