import { describe, expect, it } from 'vitest';
import type { ConfigDriver } from '../driver.js';
import { holds, never, next, now, pause, set, settingsOf } from './contract-reading.js';
import type { ConfigOpenOptions } from './driver-contract.js';

/** How soon a change must have woken a reader on a machine that does other things too, in milliseconds. */
const SEEN_WITHIN_MS = 1_500;

/** The part of the contract that is about reads that wait; within the suite of the whole. */
export function describeWatching(name: string, driver: (options?: ConfigOpenOptions) => Promise<ConfigDriver>): void {
  describe('that is watched', () => {
    it('answers a read with a cursor after its longest wait when nothing changes', async () => {
      const one = await driver({ maxWaitMs: 600 });
      expect(one.maxWaitMs).toBe(600);
      let { cursor } = await now(one, 'quiet');
      let waited = 0;
      // An answer may come early, although nothing changed; not every time, or readers would spin.
      for (let read = 0; read < 4 && waited < 400; read++) {
        const before = performance.now();
        cursor = (await one.read('quiet', cursor, never())).cursor;
        waited = performance.now() - before;
      }
      expect(waited).toBeGreaterThanOrEqual(400);
      expect(waited).toBeLessThan(3_000);
    });

    it.each([
      ['its own write', true],
      ['another process’s write', false],
    ])('wakes a waiting read on %s: a first document, a change, a single entry, a deletion', async (_, own) => {
      const reader = await driver();
      const writer = own ? reader : await driver();
      let last = await now(reader, 'users');
      const times: number[] = [];
      const steps: readonly [Readonly<Record<string, string | undefined>>, unknown][] = [
        [{ '': 'greeting:\n  template: Hello\n  size: 1\n' }, { greeting: { template: 'Hello', size: 1 } }],
        [{ '': 'greeting: { template: Hi, size: 1 }' }, { greeting: { template: 'Hi', size: 1 } }],
        [{ 'greeting.template': 'Servus' }, { greeting: { template: 'Servus', size: 1 } }],
        [{ 'greeting.template': undefined, '': undefined }, {}],
      ];
      for (const [changes, settings] of steps) {
        const woken = next(reader, 'users', last);
        await pause(50);
        await set(writer, 'users', changes);
        const writtenAt = performance.now();
        last = await woken;
        times.push(performance.now() - writtenAt);
        expect(settingsOf(last)).toEqual(settings);
      }
      console.info(`${name}: seen ${times.map((ms) => ms.toFixed(0)).join(', ')} ms after ${own ? 'own' : 'foreign'}`);
      expect(Math.max(...times)).toBeLessThan(SEEN_WITHIN_MS);
    });

    it('answers a read whose cursor is old at once', async () => {
      const [reader, writer] = [await driver(), await driver()];
      await set(writer, 'users', { '': 'a: 1' });
      const old = await now(reader, 'users');
      // It reads on, as a watch that lost its connection between two reads would.
      await reader.read('other', undefined, never());
      await set(writer, 'users', { '': 'a: 2' });
      const before = performance.now();
      const changed = await next(reader, 'users', old);
      expect(settingsOf(changed)).toEqual({ a: 2 });
      await set(writer, 'users', { '': undefined });
      expect(settingsOf(await next(reader, 'users', changed))).toEqual({});
      expect(performance.now() - before).toBeLessThan(2 * SEEN_WITHIN_MS);
    });

    it('answers at once although what changed has changed back', async () => {
      const [reader, writer] = [await driver({ maxWaitMs: 1_000 }), await driver()];
      await set(writer, 'users', { '': 'a: 1' });
      const old = await now(reader, 'users');
      await set(writer, 'users', { '': 'a: 2' });
      await set(writer, 'users', { '': 'a: 1' });
      const reading = await reader.read('users', old.cursor, never());
      expect(settingsOf(reading)).toEqual({ a: 1 });
    });

    it('misses no last state of many quick changes, for whoever watches', async () => {
      const [reader, late, writer] = [await driver(), await driver(), await driver()];
      const from = await now(reader, 'users');
      const old = await now(late, 'users');
      const seen = holds(reader, 'users', (reading) => (settingsOf(reading) as { n?: number }).n === 60, {
        from,
        withinMs: 15_000,
      });
      for (let n = 1; n <= 60; n++) await set(writer, 'users', { '': `n: ${n}` });
      expect(settingsOf(await seen)).toEqual({ n: 60 });
      expect(settingsOf(await next(late, 'users', old))).toEqual({ n: 60 });
      const quiet = await now(late, 'users');
      expect(settingsOf(quiet)).toEqual({ n: 60 });
    });

    it('watches several services, and the same one twice, at the same time', async () => {
      const [reader, writer] = [await driver(), await driver()];
      const services = ['users', 'orders', 'users'];
      const pending = await Promise.all(
        services.map(async (service) => {
          const last = await now(reader, service);
          return () => next(reader, service, last);
        }),
      );
      const woken = pending.map((wait) => wait());
      await pause(50);
      await set(writer, 'users', { '': 'a: 1' });
      await set(writer, 'orders', { '': 'b: 2' });
      expect((await Promise.all(woken)).map(settingsOf)).toEqual([{ a: 1 }, { b: 2 }, { a: 1 }]);
    });

    it('keeps services apart, also when one name begins with the other', async () => {
      const [reader, writer] = [await driver({ maxWaitMs: 800 }), await driver()];
      const before = await now(reader, 'user');
      for (const service of ['user-service', 'user-service-2', 'service']) {
        await set(writer, service, { '': `name: ${service}`, own: '1' });
      }
      expect([...(await now(reader, 'user')).entries]).toEqual([]);
      expect([...(await now(reader, 'user-serv')).entries]).toEqual([]);
      expect([...(await reader.read('user', before.cursor, never())).entries]).toEqual([]);
      await set(writer, 'user', { '': 'name: user' });
      expect(settingsOf(await now(reader, 'user'))).toEqual({ name: 'user' });
      for (const service of ['user-service', 'user-service-2', 'service']) {
        expect(settingsOf(await now(reader, service))).toEqual({ name: service, own: 1 });
      }
    });
  });
}
