import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Fleet, registries, report } from './fleet.js';

describe.each(registries)('promise 11, cold start, on $kind', (registry) => {
  it('a gateway that starts while the registry is down is ready within 5 s, from what it remembers', async () => {
    await using fleet = await Fleet.start(registry, { users: 3, gateways: 1 });
    const [gateway] = fleet.gateways;
    const snapshot = join(fleet.folder, 'snapshots/gateway/user-service.json');
    await eventually(async () => expect(await readFile(snapshot, 'utf8')).toContain(fleet.users[2]!.ready.id));
    expect(await gateway!.end('SIGTERM')).toBe(0);
    // One that the snapshot names and that is gone: entries are probed before use.
    await fleet.users[0]!.end('SIGKILL');
    // A folder is never down: it can be used or it is a wrong setting. It can be lost, though.
    if (fleet.backend) await fleet.backend.kill();
    else await rm(join(fleet.folder, 'registry'), { recursive: true });

    const reborn = await fleet.addGateway();
    const answers = [];
    for (let call = 0; call < 20; call++) answers.push(await fetch(`${reborn.ready.http}/users/alice`));
    // In a lost folder they turn up as they renew their leases; a snapshot names them all at once.
    const living = fleet.users.slice(1).map(({ ready }) => ready.id);
    const peers = await eventually(
      async () => {
        const found = await fleet.peersOf(reborn);
        expect(found.map(({ id }) => id).toSorted()).toEqual(living.toSorted());
        return found;
      },
      { withinMs: 5_000 },
    );
    const readiness = await fetch(`${reborn.ready.admin}/readyz`);

    report('11', registry.kind, {
      'ready after ms': Math.round(reborn.readyAfterMs),
      'instances used': peers.length,
      calls: answers.length,
    });
    expect(reborn.readyAfterMs).toBeLessThanOrEqual(5_000);
    expect(readiness.status).toBe(200);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });
});
