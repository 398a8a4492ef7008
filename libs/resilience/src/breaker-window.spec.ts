import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { BreakerWindow } from './breaker-window.js';

describe('BreakerWindow', () => {
  let window: BreakerWindow;
  const callAt = (now: number, durationMs: number) => {
    window.advance(now, 1_000);
    window.succeeded(durationMs, false);
  };

  beforeEach(() => {
    window = new BreakerWindow();
  });

  it('gives percentiles and mean within a quarter of the true ones', () => {
    const durations = fc.array(fc.double({ min: 1 / 16, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(durations, fc.constantFrom(0, 0.25, 0.5, 0.9, 0.99, 1), (times, share) => {
        const fresh = new BreakerWindow();
        fresh.advance(0, 1_000);
        for (const [index, time] of times.entries()) {
          if (index % 2) fresh.failed(time, false, false);
          else fresh.succeeded(time, false);
        }
        const sorted = times.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(share * times.length) - 1)]!;
        const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
        expect(Math.abs(fresh.durations().percentile(share) / exact - 1)).toBeLessThanOrEqual(0.251);
        expect(Math.abs(fresh.durations().mean / mean - 1)).toBeLessThanOrEqual(0.251);
      }),
      { seed: 4 },
    );
  });

  it('takes durations beyond either end of its scale', () => {
    for (const odd of [0, -1, 1e12, Infinity, NaN]) callAt(0, odd);
    expect(window.total().successes).toBe(5);
    expect(window.durations().percentile(0)).toBeLessThan(1 / 16);
    expect(window.durations().percentile(1)).toBeGreaterThan(65_000);
    expect(new BreakerWindow().durations()).toMatchObject({ mean: 0 });
    expect(new BreakerWindow().durations().percentile(0.5)).toBe(0);
  });

  it('keeps durations for half a window at least, and for a whole one at most', () => {
    for (let start = 0; start < 1_000; start += 100) {
      window = new BreakerWindow();
      callAt(0, 1);
      callAt(start, 1_000);
      window.advance(start + 499, 1_000);
      expect(window.durations().percentile(1), `at ${start}`).toBeGreaterThan(500);
      window.advance(start + 1_000, 1_000);
      expect(window.durations().percentile(1), `at ${start}`).toBe(0);
    }
  });

  it('keeps counts while its size changes, in whole slices', () => {
    callAt(0, 1);
    callAt(150, 1);
    window.advance(150, 10_000);
    expect(window.successes).toBe(2);
    // Half of the second slice was left; in the new size that is 500 ms, and eight slices of a second follow.
    window.advance(8_649, 10_000);
    expect(window.successes).toBe(2);
    window.advance(8_651, 10_000);
    expect(window.successes).toBe(1);
    window.advance(9_651, 10_000);
    expect(window.successes).toBe(0);
  });

  it('counts slow calls and timeouts beside the rest, and forgets them with it', () => {
    callAt(0, 1);
    window.succeeded(500, true);
    window.failed(500, true, true);
    expect(window.slow).toBe(2);
    expect(window.total()).toMatchObject({ successes: 2, failures: 1, slow: 2, timeouts: 1 });
    for (const now of [500, 1_000]) window.advance(now, 1_000);
    expect(window.slow).toBe(0);
    expect(window.total()).toMatchObject({ successes: 0, failures: 0, slow: 0, timeouts: 0 });
  });

  it('forgets everything after any time longer than it, at once', () => {
    callAt(0, 1);
    const started = performance.now();
    window.advance(1e12, 1_000);
    expect(performance.now() - started).toBeLessThan(100);
    expect(window.successes).toBe(0);
    callAt(1e12, 1);
    expect(window.slices().map(({ successes }) => successes)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});
