import { FakeClock } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { describeConfigDriver } from '../testing/driver-contract.js';
import { MemoryDriver } from './memory.js';

let stores = 0;

describeConfigDriver('memory', { unreachableWithinMs: 500 }, () => {
  const name = `contract-${++stores}`;
  // Holds the store while the contract closes and opens drivers on it.
  const holder = new MemoryDriver(name);
  return Promise.resolve({
    open: (options) => Promise.resolve(new MemoryDriver(name, options)),
    breakOff: () => Promise.resolve(holder.store.breakOff()),
    bringBack: () => Promise.resolve(holder.store.bringBack()),
    dispose: () => holder.close(),
  });
});

const signal = new AbortController().signal;

it('keeps stores of different names apart', async () => {
  const clock = new FakeClock();
  const [one, other] = [new MemoryDriver('one', { clock }), new MemoryDriver('other', { clock })];
  const { cursor } = await one.read('users', undefined, signal);
  await one.write('users', new Map([['', 'a: 1']]), cursor, signal);
  expect((await one.read('users', undefined, signal)).entries.size).toBe(1);
  expect((await other.read('users', undefined, signal)).entries.size).toBe(0);
  await Promise.all([one.close(), other.close()]);
});

it('forgets a store when the last driver on it closes, and leaves no timer', async () => {
  const clock = new FakeClock();
  const [first, second] = [new MemoryDriver('brief', { clock }), new MemoryDriver('brief', { clock })];
  await first.write('users', new Map([['', 'a: 1']]), '0', signal);
  const { cursor } = await second.read('users', undefined, signal);
  const waiting = second.read('users', cursor, signal).catch((error: unknown) => String(error));
  await Promise.all([first.close(), first.close(), second.close()]);
  expect(await waiting).toBe('Error: memory "brief" is closed.');
  expect(clock.pending).toBe(0);
  const third = new MemoryDriver('brief', { clock });
  expect((await third.read('users', undefined, signal)).entries.size).toBe(0);
  await third.close();
});

it('waits on the clock that it is given', async () => {
  const clock = new FakeClock();
  const driver = new MemoryDriver('clock', { clock, maxWaitMs: 5_000 });
  const { cursor } = await driver.read('users', undefined, signal);
  let answered = false;
  const waiting = driver.read('users', cursor, signal).then(() => (answered = true));
  await clock.advance(4_999);
  expect(answered).toBe(false);
  await clock.advance(1);
  expect(answered).toBe(true);
  await waiting;
  await driver.close();
});

it('rejects a read that waits on a revision that is compacted away', async () => {
  const driver = new MemoryDriver('compact', { clock: new FakeClock() });
  const { cursor } = await driver.read('users', undefined, signal);
  const waiting = driver.read('users', cursor, signal);
  driver.store.compact();
  await expect(waiting).rejects.toThrow('memory "compact" has compacted that revision.');
  expect((await driver.read('users', undefined, signal)).entries.size).toBe(0);
  await driver.close();
});
