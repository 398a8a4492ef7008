import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// opossum keeps its counts when it closes: they are those that opened it, so one more failure opens it again.
it('starts with an empty window after it closed', async () => {
  const { clock, breaker, call } = breakerOnFakeClock({ windowMs: 60_000 });
  call('failed', 20);
  await clock.advance(5_000);
  call('succeeded');
  expect(breaker.circuit.stats).toMatchObject({ fires: 0, failures: 0 });
  call('failed', 19);
  expect(breaker.state).toBe('closed');
});
