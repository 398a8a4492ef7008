import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// cockatiel, half-open, makes callers wait for the probe and sends them all when it succeeds: the target that has just come
// back gets everyone at once. A refusal comes before `enter` returns, so nobody can wait for anything.
it('refuses beside the probe at once, and sends nobody who was refused', async () => {
  const { clock, breaker, call } = breakerOnFakeClock();
  call('failed', 20);
  await clock.advance(5_000);
  const probe = breaker.enter();
  for (let caller = 0; caller < 100; caller++) expect(() => breaker.enter()).toThrow('users.get');
  breaker.succeeded(probe, 1);
  await clock.advance(1_000);
  expect(breaker.circuit.stats).toMatchObject({ fires: 0, rejects: 0 });
  expect(breaker.state).toBe('closed');
});
