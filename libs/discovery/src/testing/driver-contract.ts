import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RegistryDriver } from '../driver.js';
import { complete, never, next, pause, SENTENCE } from './contract-watch.js';
import { describeRegistering, type DriverTraits } from './registering-contract.js';

export type { DriverTraits } from './registering-contract.js';

export interface OpenOptions {
  /** A shorter wait than the driver's own, so that waiting a whole one out does not take a minute. In milliseconds. */
  readonly maxWaitMs?: number;
}

/** A registry that the contract may fill and harm; each test gets a new one or an empty part of one. */
export interface RegistryUnderTest {
  /** A driver on this registry, as one more process would open it. The contract closes it. */
  open(options?: OpenOptions): Promise<RegistryDriver>;
  /** Makes the registry unreachable, in the rudest way there is. Needed where `unreachable` is not left out. */
  breakOff?(): Promise<void>;
  dispose?(): Promise<void>;
}

/**
 * What every {@link RegistryDriver} owes to Discovery, as a suite of vitest: call it at the top of a spec with a way to
 * start the registry. It uses real time, because registries do.
 */
export function describeRegistryDriver(
  name: string,
  traits: DriverTraits,
  start: () => Promise<RegistryUnderTest>,
): void {
  const { readOnly = false, unreachableWithinMs, timeoutMs = 20_000 } = traits;

  describe.skipIf(traits.skip ?? false)(`${name} as a registry driver`, { timeout: timeoutMs }, () => {
    let registry: RegistryUnderTest;
    let open: RegistryDriver[];

    const driver = async (options?: OpenOptions) => {
      const opened = await registry.open(options);
      open.push(opened);
      return opened;
    };

    beforeEach(async () => {
      open = [];
      registry = await start();
    }, timeoutMs);
    afterEach(async () => {
      await Promise.all(open.map((opened) => opened.close()));
      await registry.dispose?.();
    }, timeoutMs);

    it('says what it is', async () => {
      const one = await driver();
      expect(one.name).not.toBe('');
      expect(one.renewEveryMs).toBeGreaterThan(0);
      expect(one.propagationMs).toBeGreaterThanOrEqual(0);
      expect(one.maxWaitMs).toBeGreaterThan(0);
    });

    it('answers for a service that nobody registered with no instances', async () => {
      const answer = await (await driver()).read('nobody', undefined, never());
      expect(answer.instances).toEqual([]);
    });

    it('answers a read with a cursor after its longest wait when nothing changes', async () => {
      const one = await driver({ maxWaitMs: 600 });
      expect(one.maxWaitMs).toBe(600);
      let { cursor } = await one.read('quiet', undefined, never());
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

    it('takes a cursor that means nothing to it for none', async () => {
      const one = await driver();
      const before = performance.now();
      expect((await one.read('quiet', 'what it never said', never())).instances).toEqual([]);
      expect(performance.now() - before).toBeLessThan(1_000);
    });

    it('rejects with the reason of a signal that aborts, soon', async () => {
      const one = await driver();
      const controller = new AbortController();
      const pending = next(one, 'quiet', await one.read('quiet', undefined, never()), controller.signal);
      const problem = pending.catch((error: unknown) => error);
      await pause(100);
      const before = performance.now();
      const reason = new Error('enough');
      controller.abort(reason);
      expect(await problem).toBe(reason);
      expect(performance.now() - before).toBeLessThan(500);
    });

    it('does nothing for a signal that has aborted already', async () => {
      const one = await driver();
      const reason = new Error('too late');
      const instance = complete('late');
      await expect(one.register(instance, AbortSignal.abort(reason))).rejects.toBe(reason);
      await expect(one.renew(instance, AbortSignal.abort(reason))).rejects.toBe(reason);
      await expect(one.deregister(instance, AbortSignal.abort(reason))).rejects.toBe(reason);
      await expect(one.read('late', undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
      expect((await one.read('late', undefined, never())).instances).toEqual([]);
    });

    it('rejects what is pending, and what comes later, when it is closed', async () => {
      const one = await driver();
      const pending = next(one, 'quiet', await one.read('quiet', undefined, never()), never());
      const problem = pending.catch((error: unknown) => error);
      await pause(100);
      await one.close();
      expect(await problem).toMatchObject({ message: expect.stringMatching(SENTENCE) as unknown });
      await expect(one.read('quiet', undefined, never())).rejects.toThrow(SENTENCE);
      await one.close();
    });

    describe.skipIf(!readOnly)('that cannot be written to', () => {
      it('takes registrations for done', async () => {
        const one = await driver();
        const instance = complete('written-down');
        await one.register(instance, never());
        expect(await one.renew(instance, never())).toBe(true);
        await one.deregister(instance, never());
        expect((await one.read('written-down', undefined, never())).instances).toEqual([]);
      });
    });

    if (!readOnly) describeRegistering(name, traits, driver);

    describe.skipIf(unreachableWithinMs === undefined)('that cannot be reached', () => {
      it('rejects every verb that asks it with a sentence, within its time', async () => {
        const one = await driver({ maxWaitMs: 2_000 });
        const instance = complete('users');
        await one.register(instance, never());
        const { cursor } = await one.read('users', undefined, never());
        await registry.breakOff?.();
        const before = performance.now();
        await expect(one.read('users', undefined, never())).rejects.toThrow(SENTENCE);
        await expect(one.read('users', cursor, never())).rejects.toThrow(SENTENCE);
        // Registering is no affair of one that cannot be written to.
        for (const verb of readOnly ? [] : (['register', 'renew', 'deregister'] as const)) {
          await expect(one[verb](instance, never())).rejects.toThrow(SENTENCE);
        }
        expect(performance.now() - before).toBeLessThan(5 * (unreachableWithinMs ?? 0));
      });
    });
  });
}
