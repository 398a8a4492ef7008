import { describe, expect, it } from 'vitest';
import { FaultyFleet, percent, percentile } from './faulty-fleet.js';
import { report } from './fleet.js';
import { seconds } from './load.js';

const RATE = 100;
const SIZE = 3;
const WORK_MS = 20;
const SLOW_S = 15;
/** Long enough that the shares of windows scatter by less than what is promised: 500 picks, 6 % of a fair share. */
const WINDOW_MS = 5_000;
const RECOVERED_AFTER_MS = 30_000;

describe('promise 4, slow instance', () => {
  it('ten times slower, it gets a quarter of its share within 2 s, and its share back within 30 s', async () => {
    await using fleet = await FaultyFleet.start(SIZE);
    const [victim] = fleet.backends;
    await fleet.warmUp(RATE, WORK_MS);
    const healthyFrom = Date.now();
    await seconds(SLOW_S);

    const slowAt = await fleet.behave(victim!, 'as=slow&factor=10');
    await seconds(2 + SLOW_S);
    const wellAt = await fleet.behave(victim!, 'as=well');
    await seconds((RECOVERED_AFTER_MS + WINDOW_MS) / 1_000 + 0.5);
    const outcomes = await fleet.end();

    const between = (from: number, to: number) =>
      outcomes.filter(({ startedAt }) => startedAt >= from && startedAt < to);
    const fairShare = (from: number, to: number) => SIZE * fleet.picksBetween(from, to).shareOf(victim!);
    const slow = fairShare(slowAt + 2_000, wellAt);
    const [healthyP99, slowP99] = [
      percentile(between(healthyFrom, slowAt), 0.99),
      percentile(between(slowAt + 2_000, wellAt), 0.99),
    ];
    const windows = Array.from({ length: 31 }, (_, second) => {
      const from = wellAt + second * 1_000;
      return { second, share: fairShare(from, from + WINDOW_MS) };
    });
    const recovered = windows.find(({ share }) => Math.abs(share - 1) <= 0.2)?.second;
    const last = windows.at(-1)!.share;
    const failures = outcomes.filter(({ error }) => error !== null);
    report('4', `${SIZE} instances`, {
      calls: outcomes.length,
      failed: failures.length,
      'of its fair share, healthy': percent(fairShare(healthyFrom, slowAt)),
      'in the first 2 s': percent(fairShare(slowAt, slowAt + 2_000)),
      'after 2 s': percent(slow),
      'p99 healthy ms': healthyP99.toFixed(1),
      'p99 with the slow one ms': slowP99.toFixed(1),
      'fair ± 20 % again in a window from second': recovered ?? 'none',
      '30 s after recovery': percent(last),
    });
    expect(slow).toBeLessThanOrEqual(0.25);
    expect(slowP99).toBeLessThanOrEqual(2 * healthyP99);
    expect(Math.abs(last - 1)).toBeLessThanOrEqual(0.2);
  });
});
