import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// opossum's volumeThreshold is 0 unless set: the first failure is 100 % of all calls, and opens.
it('one failure, or any number below the volume, does not open the breaker', () => {
  const { breaker, call } = breakerOnFakeClock();
  call('failed');
  expect(breaker.state).toBe('closed');
  call('failed', 18);
  expect(breaker.state).toBe('closed');
  call('failed');
  expect(breaker.state).toBe('open');
});
