import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { FaultyFleet, isIn, percent } from './faulty-fleet.js';
import { registries, report } from './fleet.js';
import { seconds } from './load.js';

const RATE = 100;
const WINDOW_MS = 5_000;

describe.each(registries)('promise 7, join, on $kind', (registry) => {
  it('a new instance gets no call before it is ready, few at first, and its full share within 30 s', async () => {
    await using fleet = await FaultyFleet.start(2, registry);
    await fleet.warmUp(RATE);
    // Ages are relative: beside siblings that are young themselves, a new one is soon their equal.
    await seconds(10);

    const joiner = await fleet.addBackend();
    const size = fleet.backends.length;
    const seen = () =>
      fleet.samples.flatMap(({ at, target }) => {
        const peer = target.peers.find(({ address }) => address === joiner.ready.grpc);
        return peer ? [{ at, ...peer }] : [];
      });
    // Its age begins when it takes calls.
    const { since } = await eventually(() => {
      const ready = seen().find(({ state }) => isIn(state));
      if (!ready) throw new Error('the new instance takes no calls');
      return ready;
    });
    const bornAt = since!;
    await seconds((30_000 + WINDOW_MS - (Date.now() - bornAt)) / 1_000 + 0.5);
    const outcomes = await fleet.end();

    const early = seen().filter(({ state }) => !isIn(state));
    // From the last look before it, where there is none at the very moment; until a second after it, or a little earlier.
    const lastBefore = fleet.samples.findLast(({ at }) => at <= bornAt)?.at ?? bornAt;
    const upTo = (age: number) => fleet.picksBetween(lastBefore, bornAt + age * 1_000);
    const first = upTo(1);
    const fair = (share: number) => share * size;
    const windows = Array.from({ length: 31 }, (_, second) => ({
      second,
      share: fair(fleet.picksBetween(bornAt + second * 1_000, bornAt + second * 1_000 + WINDOW_MS).shareOf(joiner)),
    }));
    const full = windows.find(({ share }) => share >= 0.8)?.second;
    const failures = outcomes.filter(({ error }) => error !== null);
    report('7', registry.kind, {
      calls: outcomes.length,
      failed: failures.length,
      'picks before ready': Math.max(0, ...early.map(({ picks }) => picks)),
      'of its fair share in the first second': percent(fair(first.shareOf(joiner))),
      'in the first 3 s': percent(fair(upTo(3).shareOf(joiner))),
      'in the first 5 s': percent(fair(upTo(5).shareOf(joiner))),
      'full in a window from second': full ?? 'none',
      '30 s after': percent(windows.at(-1)!.share),
    });
    expect(Math.max(0, ...early.map(({ picks }) => picks))).toBe(0);
    expect(fair(first.shareOf(joiner))).toBeLessThanOrEqual(0.1);
    // 10 % per second of age: up to an age of t seconds, 5 % × t on average, and what chance adds to some hundred picks.
    for (const age of [3, 5]) expect(fair(upTo(age).shareOf(joiner))).toBeLessThanOrEqual(0.05 * age + 0.05);
    expect(full).toBeLessThanOrEqual(30);
    expect(Math.abs(windows.at(-1)!.share - 1)).toBeLessThanOrEqual(0.2);
  });
});
