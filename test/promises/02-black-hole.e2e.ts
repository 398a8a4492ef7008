import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { FaultyFleet, isIn } from './faulty-fleet.js';
import { report } from './fleet.js';
import { seconds } from './load.js';

const RATE = 100;
/** max(2 × attempt timeout, 1 s): the caller's attempt timeout is 500 ms. */
const SILENT_AFTER_MS = 1_000;
const FROZEN_S = 10;

describe('promise 2, black hole', () => {
  // Addresses that are written down: no registry ever says that the instance is gone.
  it('an instance that accepts calls and answers none is left alone within a second, and no call fails', async () => {
    await using fleet = await FaultyFleet.start(3);
    const [victim] = fleet.backends;
    await fleet.warmUp(RATE);

    victim!.freeze(true);
    const frozenAt = Date.now();
    await seconds(FROZEN_S);
    const thawedAt = Date.now();
    victim!.freeze(false);
    const back = async () =>
      (await fleet.peers()).some(({ address, state }) => address === victim!.ready.grpc && isIn(state));
    await eventually(back, { withinMs: 30_000, everyMs: 100 });
    const backAfterMs = Date.now() - thawedAt;
    const outcomes = await fleet.end();

    const picks = fleet.picksBetween(frozenAt + SILENT_AFTER_MS, thawedAt);
    const states = fleet.samples.filter(({ at }) => at > frozenAt && at < thawedAt);
    const outAt = states.find(({ target }) =>
      target.peers.some(({ address, state }) => address === victim!.ready.grpc && !isIn(state)),
    )?.at;
    const failures = outcomes.filter(({ error }) => error !== null);
    report('2', 'static addresses', {
      calls: outcomes.length,
      failed: failures.length,
      'left alone after ms': outAt === undefined ? 'never' : outAt - frozenAt,
      [`picks of the frozen one after ${SILENT_AFTER_MS} ms`]: picks.of(victim!),
      'picks of the others': picks.all - picks.of(victim!),
      'slowest call ms': Math.round(
        Math.max(...outcomes.filter(({ startedAt }) => startedAt > frozenAt).map(({ ms }) => ms)),
      ),
      'back after ms': backAfterMs,
    });
    expect(failures.map(({ error }) => error)).toEqual([]);
    expect(picks.of(victim!)).toBe(0);
    expect(picks.all).toBeGreaterThan(0.8 * RATE * (FROZEN_S - SILENT_AFTER_MS / 1_000));
  });
});
