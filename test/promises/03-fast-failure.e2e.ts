import { describe, expect, it } from 'vitest';
import { FaultyFleet, percent } from './faulty-fleet.js';
import { report } from './fleet.js';
import { seconds } from './load.js';

const RATE = 100;
const WATCHED_S = 10;

describe('promise 3, fast-failing instance', () => {
  // UNAVAILABLE is repeated elsewhere by the caller's policies; INTERNAL is not.
  it.each([
    { size: 2, code: 'UNAVAILABLE' },
    { size: 3, code: 'UNAVAILABLE' },
    { size: 3, code: 'INTERNAL' },
    { size: 10, code: 'UNAVAILABLE' },
  ])('one of $size that answers $code within 1 ms gets no more than 2 % after a second', async ({ size, code }) => {
    await using fleet = await FaultyFleet.start(size);
    const [victim] = fleet.backends;
    await fleet.warmUp(RATE);

    const failingAt = await fleet.behave(victim!, `as=failing&code=${code}`);
    await seconds(1 + WATCHED_S);
    const outcomes = await fleet.end();

    const first = fleet.picksBetween(failingAt, failingAt + 1_000);
    const later = fleet.picksBetween(failingAt + 1_000, failingAt + 1_000 * (1 + WATCHED_S));
    const failures = outcomes.filter(({ error }) => error !== null);
    report('3', `${size} instances, ${code}`, {
      calls: outcomes.length,
      failed: failures.length,
      'share in the first second': percent(first.shareOf(victim!)),
      [`share in the ${WATCHED_S} s after it`]: percent(later.shareOf(victim!)),
      'picks per second': Math.round(later.all / later.seconds),
    });
    expect(later.shareOf(victim!)).toBeLessThanOrEqual(0.02);
    expect(later.all / later.seconds).toBeGreaterThan(0.8 * RATE);
  });
});
