import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

// opossum without its own timeout, and resilience4j at any time, stay half-open for ever when a probe never comes back:
// every later call is refused, although the target may have recovered long ago.
it('a probe that never comes back is given up at its deadline, and others follow', async () => {
  const { clock, breaker, call } = breakerOnFakeClock();
  call('failed', 20);
  await clock.advance(5_000);
  breaker.enter(1_000);
  await clock.advance(999);
  expect(breaker.state).toBe('halfOpen');
  await clock.advance(1);
  expect(breaker.state).toBe('open');
  await clock.advance(10_000);
  call('succeeded');
  expect(breaker.state).toBe('closed');
});

it('a probe whose caller went away makes room for another at once', async () => {
  const { clock, breaker, call } = breakerOnFakeClock();
  call('failed', 20);
  await clock.advance(5_000);
  breaker.ignored(breaker.enter(1_000));
  call('succeeded');
  expect(breaker.state).toBe('closed');
});
