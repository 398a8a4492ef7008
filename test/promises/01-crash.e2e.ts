import { describe, expect, it } from 'vitest';
import { Fleet, registries, report } from './fleet.js';
import { Load, seconds } from './load.js';

describe.each(registries)('promise 1, crash, on $kind', (registry) => {
  it('an instance killed under load costs no idempotent call', async () => {
    await using fleet = await Fleet.start(registry, { users: 3, gateways: 1 });
    const [gateway] = fleet.gateways;
    const [victim] = fleet.users;
    const load = new Load({ url: () => gateway!.ready.http!, callers: 32, creators: 8 });
    await seconds(2);

    const inFlight = load.waiting.create;
    const killedAt = performance.now();
    await victim!.end('SIGKILL');
    let picks = -1;
    let lastPickAt = killedAt;
    while (performance.now() - killedAt < 3_000) {
      const peer = (await fleet.peersOf(gateway!)).find(({ id }) => id === victim!.ready.id);
      if (peer && peer.picks !== picks) {
        if (picks >= 0) lastPickAt = performance.now();
        picks = peer.picks;
      }
    }
    const outcomes = await load.stop();

    const after = outcomes.filter(({ startedAt }) => startedAt > killedAt);
    report('1', registry.kind, {
      calls: outcomes.length,
      'failed idempotent': load.failuresOf('get').length,
      'failed others': load.failuresOf('create').length,
      'others in flight at the kill': inFlight,
      'last pick after ms': Math.round(lastPickAt - killedAt),
    });
    expect(load.failuresOf('get').map(({ failure }) => failure)).toEqual([]);
    expect(load.failuresOf('create').length).toBeLessThanOrEqual(inFlight);
    expect(lastPickAt - killedAt).toBeLessThanOrEqual(250);
    expect(after.length).toBeGreaterThan(500);
    expect(new Set(after.map(({ servedBy }) => servedBy))).not.toContain(victim!.ready.id);
  });
});
