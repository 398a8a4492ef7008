import { Logger } from '@nestjs/common';
import { seededRandom, systemClock } from '@holdfast/core';
import { Discovery, openRegistry, type Instance } from '@holdfast/discovery';
import type { RegistryDriver } from '@holdfast/discovery/driver';
import { backendAvailable, eventually, FakeClock, withConsul, type Backend } from '@holdfast/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomFleet } from '../../libs/discovery/src/testing/random-fleet.js';
import { ScriptedRegistry } from '../../libs/discovery/src/testing/scripted-registry.js';
import { report } from './fleet.js';
import { seconds } from './load.js';

const SEED = 20_261_122;
const EVENTS = 10_000;
/** Changes of the real registry; each is a request that is waited for. */
const REAL_EVENTS = 600;

beforeAll(() => Logger.overrideLogger(false));

/** The driver, and how often it was read. */
function counted(driver: RegistryDriver): { driver: RegistryDriver; reads: () => number } {
  let reads = 0;
  const read: RegistryDriver['read'] = (...args) => {
    reads++;
    return driver.read(...args);
  };
  return {
    driver: new Proxy(driver, { get: (own, name) => (name === 'read' ? read : bound(own, name)) }),
    reads: () => reads,
  };
}

function bound(driver: RegistryDriver, name: string | symbol): unknown {
  const value: unknown = Reflect.get(driver, name);
  return typeof value === 'function' ? value.bind(driver) : value;
}

describe('promise 12, watch correctness', () => {
  it(`after ${EVENTS} random events of every kind, the view is the truth within a second`, async () => {
    const clock = new FakeClock();
    const registry = new ScriptedRegistry(() => clock.now());
    const random = seededRandom(SEED);
    const fleet = new RandomFleet(registry, random);
    const probe = async (instance: Instance) => fleet.lives(instance);
    const discovery = new Discovery(registry, { clock, random: seededRandom(SEED + 1), probe });
    const view = discovery.watch('users');
    for (let event = 1; event <= EVENTS; event++) {
      fleet.step();
      await clock.advance(random() * 60);
    }
    fleet.calm();
    await clock.advance(0);
    if (discovery.contact.value.status === 'down') await clock.advance(5_500);
    fleet.step();
    fleet.calm();
    const lastAt = clock.now();
    while (clock.now() - lastAt <= 1_000 && JSON.stringify(view.instances.value) !== JSON.stringify(fleet.truth)) {
      await clock.advance(10);
    }
    const [rightAfter, lasted] = [clock.now() - lastAt, clock.now()];
    const reads = registry.calls.length;
    await clock.advance(60_000);
    const quiet = registry.calls.length - reads;
    const shown = view.instances.value;
    await discovery.close();
    report('12', 'a scripted registry', {
      events: EVENTS,
      seconds: Math.round(lasted / 1_000),
      'reads per second': (reads / (lasted / 1_000)).toFixed(2),
      'right after ms': Math.round(rightAfter),
      'reads in a quiet minute': quiet,
    });
    expect(shown).toEqual(fleet.truth);
    expect(rightAfter).toBeLessThanOrEqual(1_000);
    expect(reads / (lasted / 1_000)).toBeLessThanOrEqual(10.1);
    expect(quiet).toBeLessThanOrEqual(6);
  });

  describe.skipIf(!backendAvailable('consul'))('on a real Consul that is restarted in between', () => {
    it(`after ${REAL_EVENTS} changes, the view is the truth within a second`, async () => {
      await using agent = await withConsul();
      const { driver, reads } = counted(await openRegistry(agent.url, { clock: systemClock, random: Math.random }));
      const registry = new ConsulFleet(agent);
      const probe = async (instance: Instance) => registry.alive.has(instance.id);
      const discovery = new Discovery(driver, { probe });
      const startedAt = performance.now();
      const view = discovery.watch('users');
      const random = seededRandom(SEED);
      const ids = () => view.instances.value.map(({ id }) => id);
      const delays: number[] = [];
      for (let event = 1; event <= REAL_EVENTS; event++) {
        await registry.step(random);
        // Now and then the world stands still, or the agent is another one that knows nothing and counts from the beginning.
        if (event % 100 === 0) delays.push(await right(ids, () => registry.ids));
        if (event % 200 === 150) {
          await agent.restart();
          await registry.tellAll();
          // Without the registry, the back-off is promise 8's; from then on the second counts.
          await eventually(() => discovery.contact.value.status === 'up', { withinMs: 6_000 });
          delays.push(await right(ids, () => registry.ids));
        }
      }
      const [tookMs, readsInAll] = [performance.now() - startedAt, reads()];
      await seconds(5);
      const quiet = reads() - readsInAll;
      await discovery.close();
      report('12', 'consul', {
        changes: REAL_EVENTS,
        restarts: Math.floor((REAL_EVENTS + 50) / 200),
        seconds: (tookMs / 1_000).toFixed(1),
        'reads per second': (readsInAll / (tookMs / 1_000)).toFixed(2),
        'right after ms, at the latest': Math.round(Math.max(...delays)),
        'reads in 5 quiet seconds': quiet,
      });
      expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
      expect(readsInAll / (tookMs / 1_000)).toBeLessThanOrEqual(10.5);
      expect(quiet).toBeLessThanOrEqual(2);
    });
  });
});

/** Waits until both say the same; gives how long that took, in milliseconds. */
async function right(shown: () => readonly string[], truth: () => readonly string[]): Promise<number> {
  const startedAt = performance.now();
  await eventually(() => expect(shown()).toEqual(truth()), { withinMs: 5_000, everyMs: 5 });
  return performance.now() - startedAt;
}

/** Instances that are entered without a check, so that nobody but this test decides who lives. */
class ConsulFleet {
  readonly alive = new Map<string, object>();
  #serial = 0;

  constructor(private readonly agent: Backend) {}

  get ids(): readonly string[] {
    return [...this.alive.keys()].toSorted();
  }

  async step(random: () => number): Promise<void> {
    const ids = this.ids;
    const any = ids[Math.floor(random() * ids.length)];
    const dice = random();
    if (any === undefined || (dice < 0.45 && ids.length < 30))
      return this.#enter(`users-${String(this.#serial++).padStart(6, '0')}`);
    if (dice < 0.75) return this.#remove(any);
    if (dice < 0.9) return this.#enter(any);
    // One that comes and goes faster than anybody can look, and an entry of another service.
    for (let times = 0; times < 3; times++) {
      await this.#remove(any);
      await this.#enter(any);
    }
    await this.#put('register', { ID: `orders-${any}`, Name: 'orders', Address: '127.0.0.1', Port: 9_000 });
  }

  /** What the agent of a restarted process is told again. */
  async tellAll(): Promise<void> {
    for (const entry of this.alive.values()) await this.#put('register', entry);
  }

  async #enter(id: string): Promise<void> {
    const port = 10_000 + Number(id.slice(-6));
    const entry = { ID: id, Name: 'users', Address: '127.0.0.1', Port: port, Meta: { version: String(this.#serial) } };
    this.alive.set(id, entry);
    await this.#put('register', entry);
  }

  async #remove(id: string): Promise<void> {
    this.alive.delete(id);
    await this.#put(`deregister/${id}`);
  }

  async #put(path: string, body?: object): Promise<void> {
    const response = await fetch(`http://${this.agent.address}/v1/agent/service/${path}`, {
      method: 'PUT',
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`consul answered ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  }
}
