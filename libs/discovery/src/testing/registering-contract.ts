import { describe, expect, it } from 'vitest';
import type { Instance, RegistryDriver } from '../driver.js';
import { byId, complete, holds, never, next, pause } from './contract-watch.js';

export interface DriverTraits {
  /** Leaves the whole suite out, where a program that it needs is absent. @default false */
  readonly skip?: boolean;
  /** The registry cannot be written to: registering changes nothing. @default false */
  readonly readOnly?: boolean;
  /** How soon the instance of a process that died disappears, in milliseconds; undefined where it never does. */
  readonly crashWithinMs?: number;
  /** A registry that cannot be reached rejects within so many milliseconds; undefined where that cannot happen. */
  readonly unreachableWithinMs?: number;
  /** How long {@link start} and one test may take, in milliseconds. @default 20_000 */
  readonly timeoutMs?: number;
}

/** The part of the contract that is about instances that come, stay and go; within the suite of the whole. */
export function describeRegistering(
  name: string,
  { crashWithinMs }: DriverTraits,
  driver: () => Promise<RegistryDriver>,
): void {
  describe('that can be written to', () => {
    it('gives back every field of an instance', async () => {
      const [one, two] = [await driver(), await driver()];
      const instance = complete('users', { protocol: 'grpc' });
      await one.register(instance, never());
      const answer = await holds(two, 'users', (found) => found.length === 1);
      expect(answer.instances).toEqual([instance]);
    });

    it('gives back an instance that has the least', async () => {
      const [one, two] = [await driver(), await driver()];
      const instance: Instance = { id: `bare-${process.pid}`, service: 'bare', host: '::1', port: 1, protocol: 'http' };
      await one.register(instance, never());
      const answer = await holds(two, 'bare', (found) => found.length === 1);
      expect(answer.instances).toEqual([instance]);
    });

    it('replaces what was there under the same id', async () => {
      const [one, two] = [await driver(), await driver()];
      const first = complete('users');
      const second = complete('users', { id: first.id, weight: 90, version: '2', metadata: { colour: 'green' } });
      await one.register(first, never());
      await holds(two, 'users', (found) => found.length === 1);
      await one.register(second, never());
      const answer = await holds(two, 'users', (found) => found.some((instance) => instance.version === '2'));
      expect(answer.instances).toEqual([second]);
    });

    it('renews what it knows, and says so when it does not', async () => {
      const [one, two] = [await driver(), await driver()];
      const instance = complete('users');
      expect(await one.renew(instance, never())).toBe(false);
      await one.register(instance, never());
      expect(await one.renew(instance, never())).toBe(true);
      await two.deregister(instance, never());
      expect(await one.renew(instance, never())).toBe(false);
      await one.register(instance, never());
      expect(await one.renew(instance, never())).toBe(true);
      await holds(two, 'users', (found) => found.length === 1);
    });

    it('keeps an instance that is renewed', async () => {
      const [one, two] = [await driver(), await driver()];
      const instance = complete('users');
      await one.register(instance, never());
      const until = performance.now() + Math.min(2.6 * one.renewEveryMs, 6_000);
      while (performance.now() < until) {
        await pause(one.renewEveryMs / 2);
        expect(await one.renew(instance, never())).toBe(true);
        expect((await two.read('users', undefined, never())).instances).toEqual([instance]);
      }
    });

    it('takes an instance out, once or twice', async () => {
      const [one, two] = [await driver(), await driver()];
      const [stays, goes] = [complete('users'), complete('users')];
      await one.register(stays, never());
      await one.register(goes, never());
      await holds(two, 'users', (found) => found.length === 2);
      await one.deregister(goes, never());
      await one.deregister(goes, never());
      await one.deregister(complete('users'), never());
      const answer = await holds(two, 'users', (found) => found.length === 1);
      expect(answer.instances).toEqual([stays]);
    });

    it('wakes a waiting read of another process', async () => {
      const [one, two] = [await driver(), await driver()];
      const instance = complete('users');
      const came = next(two, 'users', await two.read('users', undefined, never()), never());
      await pause(100);
      const registeredAt = performance.now();
      await one.register(instance, never());
      const afterJoin = await came;
      const joinMs = performance.now() - registeredAt;
      expect(afterJoin.instances).toEqual([instance]);
      const left = next(two, 'users', afterJoin, never());
      await pause(100);
      const deregisteredAt = performance.now();
      await one.deregister(instance, never());
      expect((await left).instances).toEqual([]);
      const leaveMs = performance.now() - deregisteredAt;
      console.info(`${name}: seen by another process ${joinMs.toFixed(0)} ms / ${leaveMs.toFixed(0)} ms after`);
      // Twice, because the machine that runs the tests does other things too.
      expect(Math.max(joinMs, leaveMs)).toBeLessThan(2 * one.propagationMs + 500);
    });

    it('answers a read whose cursor is old at once', async () => {
      const [one, two] = [await driver(), await driver()];
      const { cursor } = await two.read('users', undefined, never());
      await one.register(complete('users'), never());
      await holds(two, 'users', (found) => found.length === 1);
      const before = performance.now();
      expect((await two.read('users', cursor, never())).instances).toHaveLength(1);
      expect(performance.now() - before).toBeLessThan(1_000);
    });

    it('keeps services apart, also when one name begins with the other', async () => {
      const [one, two] = [await driver(), await driver()];
      const instances = ['user', 'user-service', 'user-service-2', 'service'].map((service) => complete(service));
      for (const instance of instances) await one.register(instance, never());
      for (const instance of instances) {
        const answer = await holds(two, instance.service, (found) => found.length > 0);
        expect(answer.instances).toEqual([instance]);
      }
      expect((await two.read('user-serv', undefined, never())).instances).toEqual([]);
    });

    it('holds 200 instances that register at once', async () => {
      const [one, two] = [await driver(), await driver()];
      const instances = Array.from({ length: 200 }, () => complete('crowd'));
      await Promise.all(instances.map((instance, index) => (index % 2 ? one : two).register(instance, never())));
      const answer = await holds(await driver(), 'crowd', (found) => found.length === 200);
      expect(byId(answer.instances)).toEqual(byId(instances));
    });

    it('gives the same instances to everybody after a burst of changes', async () => {
      const drivers = [await driver(), await driver(), await driver()];
      const expected: Instance[] = [];
      for (let round = 0; round < 20; round++) {
        const registrar = drivers[round % 2]!;
        const instance = complete('churn');
        await registrar.register(instance, never());
        if (round % 3 === 0) await registrar.deregister(instance, never());
        else expected.push(instance);
      }
      for (const reader of drivers) {
        const answer = await holds(reader, 'churn', (found) => found.length === expected.length);
        expect(byId(answer.instances)).toEqual(byId(expected));
      }
    });

    it.skipIf(crashWithinMs === undefined)('lets go of an instance whose process died', async () => {
      const [victim, witness] = [await driver(), await driver()];
      const instance = complete('mortal');
      await victim.register(instance, never());
      await holds(witness, 'mortal', (found) => found.length === 1);
      await victim.close();
      const before = performance.now();
      const answer = await holds(witness, 'mortal', (found) => found.length === 0, crashWithinMs);
      expect(answer.instances).toEqual([]);
      console.info(`${name}: a silent instance was gone after ${(performance.now() - before).toFixed(0)} ms`);
    });
  });
}
