import { describe, expect, it } from 'vitest';
import { Fleet, registries, report } from './fleet.js';
import { Load, seconds } from './load.js';

describe.each(registries)('promise 1, crash, on $kind', (registry) => {
  it('an instance killed under load costs no idempotent call', async () => {
    await using fleet = await Fleet.start(registry, { users: 3, gateways: 1 });
    const [gateway] = fleet.gateways;
    const [victim] = fleet.users;
    const load = new Load({ url: () => gateway!.ready.http!, callers: 32, creators: 8, pauseMs: 15 });
    await seconds(2);

    const signalledAt = performance.now();
    await victim!.end('SIGKILL');
    const killedAt = performance.now();
    // Every look at the gateway tells how long the victim has been left alone; the best of them is closest to the truth.
    let picks = -1;
    let lastPickAt = Infinity;
    while (performance.now() - killedAt < 3_000) {
      const peer = (await fleet.peersOf(gateway!)).find(({ id }) => id === victim!.ready.id);
      if (!peer) {
        // The registry was quicker than this test: from now on at the latest, nobody picks it.
        lastPickAt = Math.min(lastPickAt, performance.now());
        break;
      }
      const pickedAt = performance.now() - peer.idleMs!;
      if (peer.picks !== picks) [picks, lastPickAt] = [peer.picks, pickedAt];
      lastPickAt = Math.min(lastPickAt, pickedAt);
    }
    await seconds(2);
    const outcomes = await load.stop();
    // Under way at some moment from the kill until the gateway stopped choosing the victim.
    const diedAt = Math.max(killedAt, lastPickAt);
    const inFlight = outcomes.filter(
      ({ kind, startedAt, endedAt }) => kind === 'create' && startedAt <= diedAt && endedAt >= signalledAt,
    ).length;

    const after = outcomes.filter(({ startedAt }) => startedAt > killedAt + 250);
    report('1', registry.kind, {
      calls: outcomes.length,
      'failed idempotent': load.failuresOf('get').length,
      'failed others': load.failuresOf('create').length,
      'others in flight at the kill': inFlight,
      'last pick after ms': Math.round(Math.max(0, lastPickAt - killedAt)),
    });
    expect(load.failuresOf('get').map(({ failure }) => failure)).toEqual([]);
    expect(load.failuresOf('create').length).toBeLessThanOrEqual(inFlight);
    expect(lastPickAt - killedAt).toBeLessThanOrEqual(250);
    expect(after.length).toBeGreaterThan(300);
    expect(new Set(after.map(({ servedBy }) => servedBy))).not.toContain(victim!.ready.id);
  });
});
