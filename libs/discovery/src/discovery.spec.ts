import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { seededRandom } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Discovery, type DiscoveryOptions } from './discovery.js';
import type { Instance } from './driver.js';
import { FileSnapshots, type Snapshots } from './snapshots.js';
import { ScriptedRegistry } from './testing/scripted-registry.js';

const user = (n: number, fields: Partial<Instance> = {}): Instance => ({
  id: `users-${n}`,
  service: 'users',
  host: '127.0.0.1',
  port: 5000 + n,
  protocol: 'grpc',
  ...fields,
});
const three = [user(1), user(2), user(3)];

class MemorySnapshots implements Snapshots {
  saved: readonly Instance[] = [];
  load = async () => this.saved;
  save = async (_service: string, instances: readonly Instance[]) => void (this.saved = instances);
}

describe('Discovery', () => {
  let clock: FakeClock;
  let registry: ScriptedRegistry;
  let discovery: Discovery;
  /** Ids that answer when they are asked. */
  let alive: Set<string>;

  const open = (options: DiscoveryOptions = {}) =>
    new Discovery(registry, {
      clock,
      random: seededRandom(7),
      probe: async ({ id }) => alive.has(id),
      ...options,
    });
  const seen = () => discovery.watch('users').instances.value.map(({ id }) => id);

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new FakeClock();
    registry = new ScriptedRegistry(() => clock.now());
    alive = new Set(['users-1', 'users-2', 'users-3']);
    discovery = open();
  });

  afterEach(async () => {
    await discovery.close();
    expect(clock.pending, 'timers left after close').toBe(0);
  });

  describe('watch', () => {
    it('follows the registry', async () => {
      registry.say(three);
      discovery.watch('users');
      await settle();
      expect(seen()).toEqual(['users-1', 'users-2', 'users-3']);
      registry.say([user(1), user(3), user(4)]);
      await clock.advance(200);
      expect(seen()).toEqual(['users-1', 'users-3', 'users-4']);
    });

    it('is one view for all who ask', () => {
      expect(discovery.watch('users')).toBe(discovery.watch('users'));
    });

    it('tells listeners only what changed', async () => {
      registry.say(three);
      const told: number[] = [];
      discovery.watch('users').instances.subscribe((instances) => told.push(instances.length));
      await settle();
      registry.say(three.toReversed());
      await clock.advance(200);
      registry.say(three.map((instance) => ({ ...instance, metadata: {} })));
      await clock.advance(200);
      expect(told).toEqual([3]);
      registry.say(three.map((instance) => ({ ...instance, zone: 'b' })));
      await clock.advance(200);
      expect(told).toEqual([3, 3]);
    });

    it('leaves out what cannot be called', async () => {
      registry.say([
        user(1),
        user(2, { port: 0 }),
        user(3, { host: '' }),
        user(4, { service: 'orders' }),
        user(5, { port: 5001 }),
      ]);
      discovery.watch('users');
      await settle();
      expect(seen()).toEqual(['users-5']);
    });

    it('reads everything again from time to time, although the watch is silent', async () => {
      registry.say(three);
      discovery.watch('users');
      await clock.advance(300_000);
      expect(registry.calls.length).toBeGreaterThan(300_000 / 37_500);
      expect(registry.calls.length).toBeLessThan(2 * (300_000 / 22_500) + 2);
    });

    it('reads a flapping service at most ten times a second, and changes no oftener', async () => {
      let changes = 0;
      discovery.watch('users').instances.subscribe(() => changes++);
      for (let change = 0; change < 500; change++) {
        registry.say(change % 2 ? three : [user(1), user(2)]);
        await clock.advance(2);
      }
      expect(registry.calls.length).toBeLessThanOrEqual(11);
      expect(changes).toBeLessThanOrEqual(11);
      registry.say(three);
      await clock.advance(200);
      expect(seen()).toHaveLength(3);
    });
  });

  describe('while the registry is down', () => {
    it('keeps the last good view, and asks at most once a second', async () => {
      registry.say(three);
      discovery.watch('users');
      discovery.watch('orders');
      const registration = discovery.register(user(9));
      await clock.advance(1_000);
      registry.fail();
      await clock.advance(5_000);
      registry.calls.length = 0;
      await clock.advance(600_000);
      expect(seen()).toEqual(['users-1', 'users-2', 'users-3', 'users-9']);
      expect(discovery.contact.value).toMatchObject({ status: 'down', reason: 'connection refused' });
      const gaps = registry.calls.slice(1).map((at, index) => at - registry.calls[index]!);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(5_100);
      expect(new Set(gaps.map(Math.round)).size, 'jitter').toBeGreaterThan(50);
      registry.recover();
      registry.say([user(1), user(2), user(3)]);
      await clock.advance(10_000);
      expect(discovery.contact.value.status).toBe('up');
      expect(registration.registered.value).toBe(true);
      expect(registry.instances.map(({ id }) => id)).toContain('users-9');
    });

    it('starts from the snapshot, with those that answer', async () => {
      const snapshots = new MemorySnapshots();
      snapshots.saved = three;
      alive.delete('users-2');
      registry.fail();
      await discovery.close();
      discovery = open({ snapshots });
      discovery.watch('users');
      await clock.advance(0);
      expect(seen()).toEqual(['users-1', 'users-3']);
      expect(discovery.watch('users').origin).toBe('snapshot');
      alive.add('users-2').delete('users-1');
      await clock.advance(3_000);
      expect(seen()).toEqual(['users-2', 'users-3']);
      registry.recover();
      registry.say([user(4)]);
      alive.add('users-4').delete('users-2');
      alive.delete('users-3');
      await clock.advance(10_000);
      expect(seen()).toEqual(['users-4']);
      expect(discovery.watch('users').origin).toBe('registry');
    });

    it('asks those that the snapshot names when the registry comes back and has forgotten them', async () => {
      const snapshots = new MemorySnapshots();
      snapshots.saved = three;
      registry.fail();
      await discovery.close();
      discovery = open({ snapshots });
      discovery.watch('users');
      await clock.advance(0);
      registry.recover();
      registry.say([]);
      await clock.advance(60_000);
      expect(discovery.watch('users').origin).toBe('registry');
      expect(seen()).toEqual(['users-1', 'users-2', 'users-3']);
      alive.clear();
      await clock.advance(3_000);
      expect(seen()).toEqual([]);
    });

    it('saves a thousand at most of a large fleet, from all over it', async () => {
      const snapshots = new MemorySnapshots();
      await discovery.close();
      discovery = open({ snapshots });
      registry.say(Array.from({ length: 2_500 }, (_, n) => user(n)));
      discovery.watch('users');
      await clock.advance(1_000);
      expect(snapshots.saved).toHaveLength(Math.ceil(2_500 / 3));
      expect(snapshots.saved).toEqual(discovery.watch('users').instances.value.filter((_, place) => place % 3 === 0));
    });

    it('saves what it sees, but never an empty view', async () => {
      const snapshots = new MemorySnapshots();
      await discovery.close();
      discovery = open({ snapshots });
      registry.say(three);
      discovery.watch('users');
      await clock.advance(1_000);
      expect(snapshots.saved.map(({ id }) => id)).toEqual(['users-1', 'users-2', 'users-3']);
      registry.say([user(1), user(2)]);
      await clock.advance(1_500);
      registry.say(three);
      await clock.advance(200);
      alive.clear();
      registry.say([]);
      await clock.advance(5_000);
      expect(seen()).toEqual([]);
      expect(snapshots.saved).toHaveLength(2);
    });
  });

  describe('an answer that drops a fleet', () => {
    beforeEach(async () => {
      registry.say(three);
      discovery.watch('users');
      await settle();
    });

    it('is not believed while the instances answer', async () => {
      registry.say([]);
      await clock.advance(60_000);
      expect(seen()).toHaveLength(3);
      expect(discovery.watch('users').held).toHaveLength(3);
      registry.say(three);
      await clock.advance(500);
      expect(discovery.watch('users').held).toEqual([]);
    });

    it('is not believed of a service with a single instance either', async () => {
      registry.say([user(1)]);
      alive.clear();
      await clock.advance(200);
      expect(seen()).toEqual(['users-1']);
      alive.add('users-1');
      registry.say([]);
      await clock.advance(60_000);
      expect(seen()).toEqual(['users-1']);
      alive.clear();
      await clock.advance(3_000);
      expect(seen()).toEqual([]);
    });

    it('is believed at once of those that do not answer', async () => {
      alive.clear();
      registry.say([]);
      await clock.advance(200);
      expect(seen()).toEqual([]);
    });

    it('is believed soon of those that stop answering later', async () => {
      registry.say([user(1)]);
      await clock.advance(200);
      expect(seen()).toHaveLength(3);
      alive.delete('users-2');
      await clock.advance(3_000);
      expect(seen()).toEqual(['users-1', 'users-3']);
    });

    it('does not wait for ever on one that hangs', async () => {
      await discovery.close();
      discovery = open({
        probe: ({ id }) => (id === 'users-1' ? new Promise(() => undefined) : Promise.resolve(true)),
      });
      discovery.watch('users');
      await settle();
      registry.say([]);
      await clock.advance(1_500);
      expect(seen()).toEqual(['users-2', 'users-3']);
    });

    it('is not believed either when they are dropped one by one within a second', async () => {
      for (const left of [[user(2), user(3)], [user(3)], []]) {
        registry.say(left);
        await clock.advance(150);
      }
      await clock.advance(60_000);
      expect(seen()).toHaveLength(3);
    });

    it('is followed on while those that it dropped are being asked', async () => {
      await discovery.close();
      discovery = open({ probe: () => new Promise(() => undefined) });
      discovery.watch('users');
      await settle();
      registry.say([]);
      await clock.advance(150);
      expect(seen()).toEqual(['users-1', 'users-2', 'users-3']);
      registry.say([user(7)]);
      await clock.advance(150);
      expect(seen()).toContain('users-7');
      await clock.advance(2_000);
      expect(seen()).toEqual(['users-7']);
    });

    it('is believed within 30 s of a fleet of 10,000 of which nobody answers', async () => {
      await discovery.close();
      discovery = open({ probe: () => new Promise(() => undefined) });
      registry.say(Array.from({ length: 10_000 }, (_, n) => user(n)));
      discovery.watch('users');
      await clock.advance(150);
      registry.say([]);
      await clock.advance(150);
      expect(seen()).toHaveLength(10_000);
      await clock.advance(29_000);
      expect(seen()).toEqual([]);
    }, 60_000);

    it('costs no more questions than two a second, whatever the registry says meanwhile', async () => {
      await discovery.close();
      let asked = 0;
      discovery = open({ probe: async () => !!++asked });
      discovery.watch('users');
      await settle();
      for (let change = 0; change < 100; change++) {
        registry.say(change % 2 ? [] : [user(8)]);
        await clock.advance(100);
      }
      expect(asked).toBeGreaterThan(3);
      expect(asked).toBeLessThanOrEqual(4 * 21);
    });

    it('believes one that leaves alone, although it answers', async () => {
      registry.say([user(1), user(2)]);
      await clock.advance(200);
      expect(seen()).toEqual(['users-1', 'users-2']);
    });

    it('does not hold an instance whose address another has taken', async () => {
      registry.say([user(9, { port: 5001 })]);
      await clock.advance(200);
      expect(seen()).toEqual(['users-2', 'users-3', 'users-9']);
    });
  });

  describe('register', () => {
    it('enters the instance, renews it, and enters it again when it was forgotten', async () => {
      const registration = discovery.register(user(1));
      await settle();
      expect(registration.registered.value).toBe(true);
      await clock.advance(60_000);
      expect(registry.instances).toEqual([user(1)]);
      registry.say([]);
      await clock.advance(5_000);
      expect(registry.instances).toEqual([user(1)]);
    });

    it('tries until the registry takes it', async () => {
      registry.fail();
      const registration = discovery.register(user(1));
      await clock.advance(20_000);
      expect(registration.registered.value).toBe(false);
      registry.recover();
      await clock.advance(5_500);
      expect(registration.registered.value).toBe(true);
    });

    it('takes the instance out when released, and is silent afterwards', async () => {
      const registration = discovery.register(user(1));
      await settle();
      await registration.release();
      await registration.release();
      expect(registry.instances).toEqual([]);
      registry.calls.length = 0;
      await clock.advance(60_000);
      expect(registry.calls).toEqual([]);
    });

    it('releases although the registry is down', async () => {
      const registration = discovery.register(user(1));
      await settle();
      registry.fail();
      await registration.release();
      expect(registration.registered.value).toBe(false);
    });
  });
});

describe('FileSnapshots', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'holdfast-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('gives back what it saved, service by service', async () => {
    const snapshots = new FileSnapshots(join(folder, 'deep', 'er'));
    await snapshots.save('users', three);
    await snapshots.save('../orders', [user(9)]);
    expect(await snapshots.load('users')).toEqual(three);
    expect(await snapshots.load('../orders')).toEqual([user(9)]);
  });

  it('knows nothing where there is no file, or a damaged one', async () => {
    const snapshots = new FileSnapshots(folder);
    expect(await snapshots.load('users')).toEqual([]);
    await writeFile(join(folder, 'users.json'), '{"format":1,"instan');
    expect(await snapshots.load('users')).toEqual([]);
  });
});
