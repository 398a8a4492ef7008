import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Fleet, registries, report } from './fleet.js';
import { Load, seconds } from './load.js';

const OUTAGE_S = 60;

/** Stands where the registry stood, counts who knocks, and hangs up. */
async function countConnections(address: string): Promise<{ readonly count: number; close(): Promise<void> }> {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.destroy();
  });
  const [host, port] = address.split(':');
  await new Promise<void>((resolve) => server.listen(Number(port), host, resolve));
  return {
    get count() {
      return count;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Takes the registry away in its own way; gives back how to bring it back, and the knocks where they can be counted. */
async function takeAway(fleet: Fleet) {
  if (!fleet.backend) {
    // A file where the folder was: whatever is tried there fails.
    const folder = join(fleet.folder, 'registry');
    await rename(folder, `${folder}-away`);
    await writeFile(folder, '');
    return {
      knocks: () => undefined,
      giveBack: async () => {
        await rm(folder);
        await mkdir(folder);
      },
    };
  }
  const { backend } = fleet;
  await backend.kill();
  const door = await countConnections(backend.address);
  return {
    knocks: () => door.count,
    giveBack: async () => {
      await door.close();
      await backend.restart();
    },
  };
}

describe.each(registries)('promise 8, registry down, on $kind', (registry) => {
  it(`${OUTAGE_S} s without it cost no call, and it is not stormed`, async () => {
    await using fleet = await Fleet.start(registry, { users: 3, gateways: 1 });
    const gateway = fleet.gateways[0]!;
    const load = new Load({ url: () => gateway.ready.http!, callers: 8, creators: 2, pauseMs: 50 });
    await seconds(1);
    const { knocks, giveBack } = await takeAway(fleet);
    await seconds(OUTAGE_S);

    const readiness = await fetch(`${gateway.ready.admin}/readyz`);
    const health = (await readiness.json()) as { details: { registry: { degraded: boolean } } };
    const perSecond = (knocks() ?? 0) / OUTAGE_S / 4;
    const peers = await fleet.peersOf(gateway);
    await giveBack();
    const start = performance.now();
    await eventually(async () => {
      const response = await fetch(`${gateway.ready.admin}/mesh`);
      return ((await response.json()) as { registry: { status: string } }).registry.status === 'up';
    });
    const backAfter = performance.now() - start;
    await seconds(3);
    const outcomes = await load.stop();

    report('8', registry.kind, {
      seconds: OUTAGE_S,
      calls: outcomes.length,
      failed: load.failuresOf().length,
      'connections per process and second': knocks() === undefined ? 'not countable' : perSecond.toFixed(2),
      'in touch again after ms': Math.round(backAfter),
    });
    expect(load.failuresOf().map(({ kind, failure }) => `${kind}: ${failure}`)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(1_000);
    expect(readiness.status).toBe(200);
    expect(health.details.registry.degraded).toBe(true);
    expect(peers.filter(({ state }) => state === 'ready')).toHaveLength(3);
    expect(perSecond).toBeLessThanOrEqual(1);
    if (knocks() !== undefined) expect(knocks(), 'nobody tried at all').toBeGreaterThan(10);
  });
});
