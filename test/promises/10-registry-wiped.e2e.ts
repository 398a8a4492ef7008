import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@holdfast/core';
import { openRegistry } from '@holdfast/discovery';
import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Fleet, registries, report } from './fleet.js';
import { Load, seconds } from './load.js';

describe.each(registries)('promise 10, registry wiped, on $kind', (registry) => {
  it('every live instance is registered again within 10 s, and no call fails', async () => {
    await using fleet = await Fleet.start(registry, { users: 3, gateways: 1 });
    const load = new Load({ url: () => fleet.gateways[0]!.ready.http!, callers: 8, creators: 2, pauseMs: 20 });
    await seconds(1);

    // A Consul agent in development mode keeps everything in memory: restarted, it knows nobody.
    if (fleet.backend) await fleet.backend.restart();
    else
      for (const name of await readdir(join(fleet.folder, 'registry')))
        await rm(join(fleet.folder, 'registry', name), { recursive: true });
    const wipedAt = performance.now();
    const driver = await openRegistry(fleet.url, { clock: systemClock, random: Math.random });
    const registered = async () => {
      const signal = AbortSignal.timeout(5_000);
      const [users, gateways] = await Promise.all(
        ['user-service', 'gateway'].map((name) => driver.read(name, undefined, signal)),
      );
      return [...users!.instances, ...gateways!.instances].map(({ id }) => id).toSorted();
    };
    const expected = [...fleet.users, ...fleet.gateways].map(({ ready }) => ready.id).toSorted();
    await eventually(async () => expect(await registered()).toEqual(expected), { withinMs: 20_000 });
    const afterMs = performance.now() - wipedAt;
    await driver.close();
    await seconds(1);
    const outcomes = await load.stop();

    report('10', registry.kind, {
      calls: outcomes.length,
      failed: load.failuresOf().length,
      'all registered again after ms': Math.round(afterMs),
    });
    expect(load.failuresOf().map(({ kind, failure }) => `${kind}: ${failure}`)).toEqual([]);
    expect(afterMs).toBeLessThanOrEqual(10_000);
    expect([...fleet.users, ...fleet.gateways].every(({ running }) => running)).toBe(true);
  });
});
