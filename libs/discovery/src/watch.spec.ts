import { Logger } from '@nestjs/common';
import { seededRandom } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Discovery } from './discovery.js';
import { RandomFleet } from './testing/random-fleet.js';
import { ScriptedRegistry } from './testing/scripted-registry.js';

const EVENTS = 10_000;
/** After so many events the world stands still for a second, and the view must be right. */
const CHECK_EVERY = 50;

describe.each([1, 2, 3])('a view of a registry that errs in every way, seed %i', (seed) => {
  let clock: FakeClock;
  let registry: ScriptedRegistry;
  let fleet: RandomFleet;
  let discovery: Discovery;

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new FakeClock();
    registry = new ScriptedRegistry(() => clock.now());
    fleet = new RandomFleet(registry, seededRandom(seed));
    discovery = new Discovery(registry, {
      clock,
      random: seededRandom(seed + 1_000),
      probe: async (instance) => fleet.lives(instance),
    });
  });

  afterEach(async () => {
    await discovery.close();
    expect(clock.pending, 'timers left after close').toBe(0);
  });

  it(`equals the truth a second after each pause in ${EVENTS} events, and reads no more than ten times a second`, async () => {
    const random = seededRandom(seed + 2_000);
    const view = discovery.watch('users');
    for (let event = 1; event <= EVENTS; event++) {
      fleet.step();
      await clock.advance(random() < 0.5 ? 0 : random() * 100);
      if (event % CHECK_EVERY > 0) continue;
      for (const last of [() => undefined, () => fleet.step()]) {
        last();
        fleet.calm();
        await clock.advance(0);
        // After a broken connection, the first call is only allowed when the back-off is over: promise 8 comes first.
        if (discovery.contact.value.status === 'down') await clock.advance(5_500);
      }
      await clock.advance(1_000);
      expect(view.instances.value, `after event ${event}`).toEqual(fleet.truth);
      expect(view.held).toEqual([]);
    }
    expect(Object.keys(fleet.happened)).toHaveLength(17);
    const reads = registry.calls.length;
    expect(reads).toBeLessThanOrEqual(clock.now() / 100 + 1);
    const gaps = registry.calls.slice(1).map((at, index) => at - registry.calls[index]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(99.9);
    await clock.advance(60_000);
    expect(registry.calls.length - reads, 'reads in a quiet minute').toBeLessThanOrEqual(6);
  }, 60_000);
});
