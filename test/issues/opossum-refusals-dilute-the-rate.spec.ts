import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// opossum counts calls that it refuses while open as calls, and refusals for want of capacity as failures: the first
// hide a target that fails, the second open the breaker of one that is well.
it('what was not sent out is in no rate', async () => {
  const { clock, breaker, call } = breakerOnFakeClock({ windowMs: 60_000, probes: 2 });
  for (let refused = 0; refused < 1_000; refused++) breaker.ignored(breaker.enter());
  expect(breaker.state).toBe('closed');
  call('failed', 20);
  for (let refused = 0; refused < 1_000; refused++) expect(() => breaker.enter()).toThrow('users.get');
  expect(breaker.circuit.stats).toMatchObject({ fires: 20, failures: 20, rejects: 1_000 });
  await clock.advance(5_000);
  call('succeeded', 2);
  call('failed', 20);
  expect(breaker.state).toBe('open');
});
