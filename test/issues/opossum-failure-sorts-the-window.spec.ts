import { expect, it } from 'vitest';
import { breakerOnFakeClock } from './breaker-on-fake-clock.js';

const costOfFailure = (callsBefore: number) => {
  const { breaker, call } = breakerOnFakeClock({ errorThresholdPercentage: 100 });
  call('succeeded', callsBefore);
  call('failed', 500);
  const rounds = Array.from({ length: 20 }, () => {
    const started = performance.now();
    call('failed', 50);
    return performance.now() - started;
  });
  expect(breaker.circuit.stats.latencyTimes).toEqual([]);
  return Math.min(...rounds);
};

// opossum joins and sorts the latency of every call in the window on each failure: 62 µs with 100 calls in it, 11 ms with
// 100,000. The bound here is a factor of ten on either side of both; bench/policies has the true figures.
it('a failure costs the same however many calls are in the window', () => {
  costOfFailure(100);
  expect(costOfFailure(100_000) / costOfFailure(100)).toBeLessThan(17);
});
