import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// opossum closes on any success while it is half-open: also on that of a call from before the opening.
it('outcomes of calls from before the opening change nothing, whenever they come', async () => {
  const { clock, breaker, call } = breakerOnFakeClock();
  const early = Array.from({ length: 100 }, () => breaker.enter());
  call('failed', 20);
  breaker.succeeded(early.pop()!, 4_000);
  expect(breaker.state).toBe('open');
  await clock.advance(5_000);
  for (const pass of early.splice(0, 40)) breaker.succeeded(pass, 5_000);
  for (const pass of early.splice(0, 20)) breaker.failed(pass, 5_000);
  expect(breaker.state).toBe('halfOpen');
  const probe = breaker.enter();
  for (const pass of early.splice(0, 10)) breaker.succeeded(pass, 5_000);
  expect(() => breaker.enter()).toThrow('users.get');
  breaker.succeeded(probe, 1);
  expect(breaker.state).toBe('closed');
  for (const pass of early) breaker.failed(pass, 6_000);
  expect(breaker.state).toBe('closed');
  expect(breaker.circuit.stats.failures).toBe(0);
});
