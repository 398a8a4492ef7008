import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Fleet, report, targetOf, type TargetState } from './fleet.js';
import { dropEntries, lyingRegistries } from './lying-registries.js';
import { Load, seconds } from './load.js';

const USERS = 4;
const LIE_S = 12;
const NOBODY_WITHIN_MS = 30_000;

describe.each(lyingRegistries.map((open) => ({ kind: open().kind, open })))(
  'promise 9, lies, on $kind',
  ({ kind, open }) => {
    it.each([
      { what: 'nobody is there', left: 0 },
      { what: 'half are gone at once', left: USERS / 2 },
    ])(`${LIE_S} s of the registry saying that $what cost no call and no instance`, async ({ what, left }) => {
      const registry = open();
      await using fleet = await Fleet.start(registry, { users: USERS, gateways: 1 });
      const gateway = fleet.gateways[0]!;
      const load = new Load({ url: () => gateway.ready.http!, callers: 8, creators: 2, pauseMs: 40 });
      await seconds(1);

      const spoken = new Set(fleet.users.slice(0, left).map(({ ready }) => ready.id));
      await registry.lie((id) => spoken.has(id));
      const liedAt = performance.now();
      const looks: TargetState[] = [];
      while (performance.now() - liedAt < LIE_S * 1_000) {
        looks.push(await targetOf(gateway, 'user-service'));
        await seconds(0.1);
      }
      const duringLie = load.outcomes.filter(({ startedAt }) => startedAt > liedAt + 2_000);
      await registry.lie(undefined);
      await eventually(async () => (await targetOf(gateway, 'user-service')).held.length === 0);
      await seconds(1);
      const outcomes = await load.stop();

      const fewest = Math.min(...looks.map(({ peers }) => peers.length));
      report('9', kind, {
        lie: what,
        calls: outcomes.length,
        failed: load.failuresOf().length,
        'instances kept': fewest,
        'against the registry': Math.max(...looks.map(({ held }) => held.length)),
      });
      expect(load.failuresOf().map(({ failure }) => failure)).toEqual([]);
      expect(Math.max(...looks.map(({ held }) => held.length)), 'the lie was not told').toBe(USERS - left);
      expect(fewest).toBe(USERS);
      // Nor do they become spares: all of them go on being called.
      expect(new Set(duringLie.map(({ servedBy }) => servedBy))).toEqual(
        new Set(fleet.users.map(({ ready }) => ready.id)),
      );
      expect(outcomes.length).toBeGreaterThan(500);
    });

    it('entries that somebody deletes, one after the other, cost no call', async () => {
      const registry = open();
      await using fleet = await Fleet.start(registry, { users: USERS, gateways: 1 });
      const gateway = fleet.gateways[0]!;
      const load = new Load({ url: () => gateway.ready.http!, callers: 8, creators: 2, pauseMs: 40 });
      await seconds(1);
      await dropEntries(
        fleet,
        fleet.users.map(({ ready }) => ready.id),
      );
      let fewest = Infinity;
      const droppedAt = performance.now();
      while (performance.now() - droppedAt < 10_000) {
        fewest = Math.min(fewest, (await fleet.peersOf(gateway)).length);
        await seconds(0.05);
      }
      const after = await targetOf(gateway, 'user-service');
      const outcomes = await load.stop();
      report('9', kind, {
        'entries deleted': USERS,
        calls: outcomes.length,
        failed: load.failuresOf().length,
        'instances kept': fewest,
      });
      expect(load.failuresOf().map(({ failure }) => failure)).toEqual([]);
      expect(fewest).toBeGreaterThan(0);
      expect(after.peers).toHaveLength(USERS);
      expect(after.held).toEqual([]);
    });

    it.each(['SIGTERM', 'SIGKILL'] as const)('a true scale to zero by %s is believed within 30 s', async (signal) => {
      await using fleet = await Fleet.start(open(), { users: USERS, gateways: 1 });
      const gateway = fleet.gateways[0]!;
      await Promise.all(fleet.users.map((user) => user.end(signal)));
      const endedAt = performance.now();
      const gone = async () => (await fleet.peersOf(gateway)).length === 0;
      await eventually(gone, { withinMs: NOBODY_WITHIN_MS, everyMs: 50 });
      const goneAfterMs = performance.now() - endedAt;
      report('9', kind, { 'scaled to zero by': signal, 'believed after ms': Math.round(goneAfterMs) });
      expect(goneAfterMs).toBeLessThanOrEqual(NOBODY_WITHIN_MS);
    });
  },
);
