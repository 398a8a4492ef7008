import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigDriver } from '../driver.js';
import { never, next, now, pause, SENTENCE, set, settingsOf, update } from './contract-reading.js';
import { describeWatching } from './watching-contract.js';
import { describeWriting } from './writing-contract.js';

export interface ConfigDriverTraits {
  /** Leaves the whole suite out, where a program that it needs is absent. @default false */
  readonly skip?: boolean;
  /** The store is one document: a single entry that is written shows as part of the entry `''`. @default false */
  readonly oneDocument?: boolean;
  /** A store that cannot be reached rejects within so many milliseconds; undefined where that cannot happen. */
  readonly unreachableWithinMs?: number;
  /** How soon it answers after {@link ConfigStoreUnderTest.bringBack}, in milliseconds. @default 10_000 */
  readonly backWithinMs?: number;
  /** What must appear in no error: the password or token that the drivers are opened with. @default none */
  readonly secret?: string;
  /** How long {@link start} and one test may take, in milliseconds. @default 20_000 */
  readonly timeoutMs?: number;
}

export interface ConfigOpenOptions {
  /** A shorter wait than the driver's own, so that waiting a whole one out does not take a minute. In milliseconds. */
  readonly maxWaitMs?: number;
}

/** A store that the contract may fill and harm; each test gets a new one or an empty part of one. */
export interface ConfigStoreUnderTest {
  /** A driver on this store, as one more process would open it. The contract closes it. */
  open(options?: ConfigOpenOptions): Promise<ConfigDriver>;
  /** Makes the store unreachable, in the rudest way there is. Needed where `unreachableWithinMs` is given. */
  breakOff?(): Promise<void>;
  /** Makes it reachable again, with all that it held. Needed where `breakOff` is there. */
  bringBack?(): Promise<void>;
  /** A driver that reaches the store although it is broken off. @default none: then nothing is written meanwhile */
  openBeside?(): Promise<ConfigDriver>;
  dispose?(): Promise<void>;
}

/**
 * What every {@link ConfigDriver} owes to Config, as a suite of vitest: call it at the top of a spec with a way to
 * start the store. It uses real time, because stores do.
 */
export function describeConfigDriver(
  name: string,
  traits: ConfigDriverTraits,
  start: () => Promise<ConfigStoreUnderTest>,
): void {
  const { unreachableWithinMs = 0, backWithinMs = 10_000, secret, timeoutMs = 20_000 } = traits;

  describe.skipIf(traits.skip ?? false)(`${name} as a config driver`, { timeout: timeoutMs }, () => {
    let store: ConfigStoreUnderTest;
    let open: ConfigDriver[];

    const kept = (opened: ConfigDriver) => {
      open.push(opened);
      return opened;
    };
    const driver = async (options?: ConfigOpenOptions) => kept(await store.open(options));

    beforeEach(async () => {
      open = [];
      store = await start();
    }, timeoutMs);
    afterEach(async () => {
      await Promise.all(open.map((opened) => opened.close()));
      await store.dispose?.();
    }, timeoutMs);

    it('says what it is', async () => {
      const one = await driver();
      expect(one.name).not.toBe('');
      expect(one.name).not.toContain(secret ?? '\0');
      expect(one.remote).toBeTypeOf('boolean');
      expect(one.maxWaitMs).toBeGreaterThan(0);
    });

    it('holds nothing for a service that nobody wrote for', async () => {
      const reading = await now(await driver(), 'nobody');
      expect([...reading.entries]).toEqual([]);
      expect(reading.cursor).toBeTypeOf('string');
    });

    it('rejects with the reason of a signal that aborts, soon', async () => {
      const one = await driver();
      const controller = new AbortController();
      const problem = next(one, 'quiet', await now(one, 'quiet'), controller.signal).catch((error: unknown) => error);
      await pause(100);
      const before = performance.now();
      const reason = new Error('enough');
      controller.abort(reason);
      expect(await problem).toBe(reason);
      expect(performance.now() - before).toBeLessThan(500);
    });

    it('does nothing for a signal that has aborted already', async () => {
      const one = await driver();
      const { cursor } = await now(one, 'late');
      const reason = new Error('too late');
      const late = AbortSignal.abort(reason);
      await expect(one.write('late', new Map([['', '{ a: 1 }']]), cursor, late)).rejects.toBe(reason);
      await expect(one.read('late', undefined, late)).rejects.toBe(reason);
      await expect(one.read('late', cursor, late)).rejects.toBe(reason);
      expect([...(await now(one, 'late')).entries]).toEqual([]);
    });

    it('rejects what is pending, and what comes later, when it is closed', async () => {
      const one = await driver();
      const { cursor } = await now(one, 'quiet');
      const problem = next(one, 'quiet', await now(one, 'quiet')).catch((error: unknown) => error);
      await pause(100);
      await one.close();
      expect(await problem).toMatchObject({ message: expect.stringMatching(SENTENCE) as unknown });
      await expect(one.read('quiet', undefined, never())).rejects.toThrow(SENTENCE);
      await expect(one.write('quiet', new Map([['', 'a: 1']]), cursor, never())).rejects.toThrow(SENTENCE);
      await one.close();
    });

    describeWatching(name, driver);
    describeWriting(traits, driver);

    describe.skipIf(traits.unreachableWithinMs === undefined)('that cannot be reached', () => {
      it('rejects every verb with a sentence, within its time and without a secret', async () => {
        const one = await driver({ maxWaitMs: 2_000 });
        await set(one, 'users', { '': 'a: 1' });
        const { cursor } = await now(one, 'users');
        await store.breakOff?.();
        const problemOf = async (verb: () => Promise<unknown>) => {
          const before = performance.now();
          const problem: unknown = await verb().then(
            () => 'it did not reject',
            (error: unknown) => error,
          );
          expect(problem).toMatchObject({ message: expect.stringMatching(SENTENCE) as unknown });
          expect(performance.now() - before).toBeLessThan(unreachableWithinMs);
          expect(inspect(problem, { depth: 8 })).not.toContain(secret ?? '\0');
          expect(inspect(problem, { depth: 8 })).not.toContain('pa55word');
        };
        await problemOf(() => one.read('users', undefined, never()));
        await problemOf(() => one.read('users', cursor, never()));
        await problemOf(() => one.write('users', new Map([['key', 'pa55word']]), cursor, never()));
      });

      it('ends a read that waits when it breaks off, and then says what was written meanwhile', async () => {
        const one = await driver({ maxWaitMs: 2_000 });
        await set(one, 'users', { '': 'a: 1\nb: 1' });
        const before = await now(one, 'users');
        const waiting = next(one, 'users', before).catch((error: unknown) => error);
        await pause(100);
        await store.breakOff?.();
        expect(await waiting).toMatchObject({ message: expect.stringMatching(SENTENCE) as unknown });
        let expected: unknown = { a: 1, b: 1 };
        if (store.openBeside) {
          const beside = kept(await store.openBeside());
          for (let a = 2; a <= 5; a++) await set(beside, 'users', { a: String(a) });
          expected = { a: 5, b: 1 };
        }
        await store.bringBack?.();
        const until = performance.now() + backWithinMs;
        let after = await one.read('users', undefined, never()).catch(() => undefined);
        while (!after && performance.now() < until) {
          await pause(100);
          after = await one.read('users', undefined, never()).catch(() => undefined);
        }
        expect(after && settingsOf(after)).toEqual(expected);
        // The watch works again as well, not only the plain read.
        const woken = next(one, 'users', after!);
        await pause(100);
        await update(await driver(), 'users', () => ({ b: '7' }));
        expect(settingsOf(await woken)).toMatchObject({ b: 7 });
      });
    });
  });
}
