import { FakeClock } from '@holdfast/testing';
import { expect, it } from 'vitest';
import type { Instance } from '../driver.js';
import { describeRegistryDriver } from '../testing/driver-contract.js';
import { MemoryDriver } from './memory.js';

let buses = 0;

describeRegistryDriver('memory', { crashWithinMs: 100 }, () => {
  const bus = `contract-${++buses}`;
  return Promise.resolve({
    open: (options) => Promise.resolve(new MemoryDriver(bus, options)),
  });
});

const signal = new AbortController().signal;
const instance: Instance = { id: 'a', service: 'users', host: '127.0.0.1', port: 1, protocol: 'grpc' };

it('keeps buses of different names apart', async () => {
  const clock = new FakeClock();
  const [one, other] = [new MemoryDriver('one', { clock }), new MemoryDriver('other', { clock })];
  await one.register(instance, signal);
  expect((await one.read('users', undefined, signal)).instances).toEqual([instance]);
  expect((await other.read('users', undefined, signal)).instances).toEqual([]);
  await Promise.all([one.close(), other.close()]);
});

it('forgets a bus when the last driver on it closes, and leaves no timer', async () => {
  const clock = new FakeClock();
  const [first, second] = [new MemoryDriver('brief', { clock }), new MemoryDriver('brief', { clock })];
  await first.register(instance, signal);
  const { cursor } = await second.read('users', undefined, signal);
  const waiting = second.read('users', cursor, signal).catch((error: unknown) => String(error));
  await Promise.all([first.close(), first.close(), second.close()]);
  expect(await waiting).toBe('Error: memory "brief" is closed.');
  expect(clock.pending).toBe(0);
  const third = new MemoryDriver('brief', { clock });
  expect((await third.read('users', undefined, signal)).instances).toEqual([]);
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
