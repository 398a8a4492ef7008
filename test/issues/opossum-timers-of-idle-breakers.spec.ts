import { afterEach, expect, it, vi } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

afterEach(() => vi.restoreAllMocks());

// An opossum breaker has two timers as long as it lives and one more while it is open: 1,000 idle ones take 2 % of a core.
it('a breaker has no timer, neither on the machine’s clock nor on ours', async () => {
  const timers = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'setInterval')];
  const { clock, breaker, call } = breakerOnFakeClock();
  call('failed', 20);
  expect(breaker.state).toBe('open');
  expect(clock.pending).toBe(0);
  await clock.advance(5_000);
  breaker.enter(1_000);
  expect(breaker.state).toBe('halfOpen');
  expect(clock.pending).toBe(0);
  for (const timer of timers) expect(timer).not.toHaveBeenCalled();
});
