import { describe, expect, it } from 'vitest';
import { FaultyFleet, isIn, type Behaviour, type Sample } from './faulty-fleet.js';
import { report } from './fleet.js';
import { seconds } from './load.js';

const RATE = 100;
const BAD_S = 6;

const out = ({ target }: Sample) => target.peers.filter(({ state }) => !isIn(state)).length;

describe('promise 5, ejection floor', () => {
  it.each<{ size: number; bad: Behaviour }>([
    { size: 2, bad: 'as=failing&code=UNAVAILABLE' },
    { size: 3, bad: 'as=failing&code=INTERNAL' },
    { size: 4, bad: 'as=failing&code=UNAVAILABLE' },
    { size: 4, bad: 'as=hanging' },
  ])(
    'of $size that turn bad one by one ($bad), no more than half are ejected, and if all are bad, all are tried',
    async ({ size, bad }) => {
      await using fleet = await FaultyFleet.start(size);
      await fleet.warmUp(RATE);

      const moments: number[] = [];
      for (const backend of fleet.backends) {
        moments.push(await fleet.behave(backend, bad));
        await seconds(BAD_S);
      }
      const allBadUntil = Date.now();
      // Those that answer again are found by themselves.
      const wellAt = await fleet.behave(fleet.backends[0]!, 'as=well');
      await seconds(BAD_S);
      const outcomes = await fleet.end();

      const half = Math.floor(size / 2);
      const looks = fleet.samples.filter(({ at }) => at >= moments[0]!);
      const ejected = looks.filter(({ target }) => !target.panic).map(out);
      const [most, none] = [
        Math.max(...ejected),
        looks.filter((look) => !look.target.panic && out(look) >= size).length,
      ];
      // One more than half is bad from here on, and after it all are.
      const allBad = fleet.picksBetween(moments.at(-1)! + 1_000, allBadUntil);
      const tried = fleet.backends.map((backend) => allBad.of(backend));
      const afterMs = (from: number, to: number) =>
        outcomes.filter(({ startedAt }) => startedAt >= from && startedAt < to);
      const rescued = afterMs(wellAt + 3_000, Infinity);
      report('5', `${size} instances, ${bad}`, {
        calls: outcomes.length,
        'most ejected at a time': most,
        'looks in panic': looks.filter(({ target }) => target.panic).length,
        'looks with all ejected': none,
        'picks of each while all were bad': tried.join(' '),
        'failed 3 s after one was well again': `${rescued.filter(({ error }) => error !== null).length} of ${rescued.length}`,
      });
      expect(most).toBeLessThanOrEqual(half);
      expect(most).toBeGreaterThan(0);
      expect(none).toBe(0);
      expect(Math.min(...tried)).toBeGreaterThan(0);
      expect(rescued.length).toBeGreaterThan(100);
    },
  );
});
