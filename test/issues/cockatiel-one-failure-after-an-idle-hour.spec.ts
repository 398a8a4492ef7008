import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// cockatiel's sampling window compares a rate: after an idle hour, the first call is all there is, and its failure opens.
it('one failure after an idle hour does not open', async () => {
  const { clock, breaker, call } = breakerOnFakeClock();
  call('succeeded', 1_000);
  await clock.advance(3_600_000);
  call('failed');
  expect(breaker.state).toBe('closed');
  expect(breaker.circuit.stats).toMatchObject({ fires: 1, failures: 1 });
});
