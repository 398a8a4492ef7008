import { eventually, type AppProcess } from '@holdfast/testing';
import { Discovery, openRegistry } from '@holdfast/discovery';
import { systemClock } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { Fleet, registries, report } from './fleet.js';
import { Load, seconds } from './load.js';

describe.each(registries)('promise 6, rolling restart, on $kind', (registry) => {
  it('every replica, gateways included, is replaced under load and no call of any method fails', async () => {
    await using fleet = await Fleet.start(registry, { users: 3, gateways: 2 });
    // As Traefik does: the balancer in front learns the gateways from the registry, and sends each request to the next.
    const front = new Discovery(await openRegistry(fleet.url, { clock: systemClock, random: Math.random }));
    const gateways = front.watch('gateway').instances;
    await eventually(() => gateways.value.length === 2);
    let turn = 0;
    const next = () => gateways.value[turn++ % gateways.value.length]!;
    const load = new Load({ url: () => `http://127.0.0.1:${next().port}`, callers: 32, creators: 8 });
    await seconds(1);

    const codes: (number | null)[] = [];
    const drains: number[] = [];
    const replace = async (old: AppProcess, start: () => Promise<AppProcess>) => {
      const startedAt = performance.now();
      codes.push(await old.end('SIGTERM'));
      drains.push(performance.now() - startedAt);
      await start();
    };
    for (const old of [...fleet.users]) await replace(old, () => fleet.addUsers());
    for (const old of [...fleet.gateways]) await replace(old, () => fleet.addGateway());
    const replaced = load.outcomes.length;
    await seconds(1);
    const outcomes = await load.stop();
    await front.close();

    report('6', registry.kind, {
      calls: outcomes.length,
      failed: load.failuresOf().length,
      'exit codes': codes.join(' '),
      'longest drain ms': Math.round(Math.max(...drains)),
    });
    expect(load.failuresOf().map(({ kind, failure }) => `${kind}: ${failure}`)).toEqual([]);
    expect(codes).toEqual([0, 0, 0, 0, 0]);
    expect(Math.max(...drains)).toBeLessThan(10_000);
    expect(outcomes.length).toBeGreaterThan(1_000);
    const served = new Set(outcomes.slice(replaced).map(({ servedBy }) => servedBy));
    expect(served).toEqual(new Set(fleet.users.slice(3).map(({ ready }) => ready.id)));
  });
});
