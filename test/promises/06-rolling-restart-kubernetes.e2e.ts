import { systemClock } from '@holdfast/core';
import { Discovery, openRegistry } from '@holdfast/discovery';
import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { peersOf, report } from './fleet.js';
import { KubernetesFleet, type DeletionOrder } from './kubernetes-fleet.js';
import { Load, seconds } from './load.js';

// A pod that is deleted gets SIGTERM from its node while a controller takes its endpoint out, and nobody waits for the other. Here
// there is no preStop, which would give callers five seconds more.
const orders: readonly DeletionOrder[] = [
  { first: 'signal', behindMs: 0 },
  { first: 'signal', behindMs: 1_000 },
  { first: 'endpoints', behindMs: 0 },
];

describe.each(orders)('a rolling restart in Kubernetes, $first first, the other $behindMs ms behind', (order) => {
  it('fails no call of any method', async () => {
    await using fleet = await KubernetesFleet.start(order, { 'user-service': 3, gateway: 2 });
    // As a gateway controller does: it follows the endpoints, and sends each request to the next.
    const deps = { clock: systemClock, random: Math.random };
    const front = new Discovery(await openRegistry(fleet.api.url, deps));
    const gateways = front.watch('gateway').instances;
    await eventually(() => gateways.value.length === 2);
    for (const gateway of fleet.of('gateway')) {
      await eventually(async () => (await peersOf(gateway, 'user-service')).length === 3);
    }
    let turn = 0;
    const next = () => gateways.value[turn++ % gateways.value.length]!;
    const load = new Load({ url: () => `http://127.0.0.1:${next().port}`, callers: 24, creators: 6 });
    await seconds(1);
    const ends: { code: number | null; ms: number }[] = [];
    for (const service of ['user-service', 'user-service', 'user-service', 'gateway', 'gateway'] as const) {
      // As a Deployment with maxUnavailable 0 does: the new one is ready first.
      await fleet.add(service);
      ends.push(await fleet.remove(service));
    }
    const replaced = load.outcomes.length;
    await seconds(1);
    const outcomes = await load.stop();
    await front.close();
    report('6', `kubernetes, ${order.first} first by ${order.behindMs} ms`, {
      calls: outcomes.length,
      failed: load.failuresOf().length,
      'longest end ms': Math.round(Math.max(...ends.map(({ ms }) => ms))),
      lists: fleet.api.asked.list,
      watches: fleet.api.asked.watch,
    });
    expect(load.failuresOf().map(({ kind, failure }) => `${kind}: ${failure}`)).toEqual([]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    expect(outcomes.length).toBeGreaterThan(1_000);
    const served = new Set(outcomes.slice(replaced).map(({ servedBy }) => servedBy));
    expect(served).toEqual(new Set(fleet.of('user-service').map(({ ready }) => ready.id)));
  });
});
