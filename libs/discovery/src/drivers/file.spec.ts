import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartupError, type Clock } from '@holdfast/core';
import { eventually, FakeClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../driver.js';
import { openRegistry } from '../registry-url.js';
import { describeRegistryDriver } from '../testing/driver-contract.js';
import { leaseText } from './file-lease.js';
import { FileDriver } from './file.js';

const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'holdfast-registry-'));

describeRegistryDriver('file', { crashWithinMs: 3_000, unreachableWithinMs: 1_000 }, () => {
  const parent = temporaryFolder();
  const folder = join(parent, 'registry');
  mkdirSync(folder);
  return Promise.resolve({
    open: (options) => Promise.resolve(new FileDriver(folder, options)),
    // A folder that is only missing would be made again; a file in its place stays in the way.
    breakOff: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve(writeFileSync(folder, ''));
    },
    dispose: () => Promise.resolve(rmSync(parent, { recursive: true, force: true })),
  });
});

const users = (id: string): Instance => ({ id, service: 'users', host: '127.0.0.1', port: 1, protocol: 'grpc' });

describe('a registry in a folder', () => {
  const signal = new AbortController().signal;
  let folder: string;
  let drivers: FileDriver[];

  const open = (clock?: Clock) => {
    const driver = new FileDriver(folder, clock && { clock });
    drivers.push(driver);
    return driver;
  };
  const ids = async (driver: FileDriver) =>
    (await driver.read('users', undefined, signal)).instances.map(({ id }) => id).sort();

  beforeEach(() => {
    folder = temporaryFolder();
    drivers = [];
  });
  afterEach(async () => {
    await Promise.all(drivers.map((driver) => driver.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('ignores files that are half-written, of another service inside, or not its own', async () => {
    const driver = open();
    await driver.register(users('a'), signal);
    const whole = leaseText(users('b'));
    writeFileSync(join(folder, 'users.b.json'), whole.slice(0, whole.length / 2));
    writeFileSync(join(folder, 'users.empty.json'), '');
    writeFileSync(join(folder, 'users.null.json'), 'null');
    writeFileSync(join(folder, 'users.other.json'), leaseText({ ...users('other'), service: 'orders' }));
    writeFileSync(join(folder, 'users.readme.txt'), 'hello');
    writeFileSync(join(folder, 'notes'), 'hello');
    expect(await ids(driver)).toEqual(['a']);
    writeFileSync(join(folder, 'users.b.json'), whole);
    await eventually(async () => expect(await ids(driver)).toEqual(['a', 'b']));
  });

  it('calls a damaged lease forgotten, so that it is registered again', async () => {
    const driver = open();
    await driver.register(users('a'), signal);
    writeFileSync(join(folder, 'users.a.json'), '{"inst');
    expect(await driver.renew(users('a'), signal)).toBe(false);
    await driver.register(users('a'), signal);
    expect(await ids(driver)).toEqual(['a']);
  });

  it('never leaves its folder', async () => {
    const driver = open();
    const inside = join(folder, 'inner');
    const inner = new FileDriver(inside);
    drivers.push(inner);
    const before = readdirSync(tmpdir()).length;
    await inner.register(users('../../escaped'), signal);
    await inner.register(users('..'), signal);
    expect(await ids(inner)).toEqual(['..', '../../escaped']);
    expect(readdirSync(folder)).toEqual(['inner']);
    expect(readdirSync(tmpdir())).toHaveLength(before);
    await expect(driver.register({ ...users('a'), service: '../users' }, signal)).rejects.toThrow('"../users" is not');
    await expect(driver.read('..', undefined, signal)).rejects.toThrow('".." is not a service\'s name');
    await expect(driver.register(users('x'.repeat(300)), signal)).rejects.toThrow('too long');
    await expect(driver.register(users(''), signal)).rejects.toThrow('is empty');
  });

  it('comes back after somebody removed the folder, and notices changes again', async () => {
    const [one, two] = [open(), open()];
    await one.register(users('a'), signal);
    const first = await two.read('users', undefined, signal);
    const gone = two.read('users', first.cursor, signal);
    rmSync(folder, { recursive: true });
    const empty = await gone;
    expect(empty.instances).toEqual([]);
    expect(await one.renew(users('a'), signal)).toBe(false);
    const back = two.read('users', empty.cursor, signal);
    await one.register(users('a'), signal);
    expect((await back).instances).toEqual([users('a')]);
  });

  it('keeps a beating lease over steps of the wall clock, and drops one that stopped', async () => {
    const clock = new FakeClock();
    const [one, two] = [open(clock), open(clock)];
    await one.register(users('beats'), signal);
    await one.register(users('silent'), signal);
    expect(await ids(two)).toEqual(['beats', 'silent']);
    for (const step of [3_600_000, -7_200_000, 3_600_000]) {
      clock.wallOffset += step;
      await clock.advance(1_000);
      expect(await one.renew(users('beats'), signal)).toBe(true);
      expect(await ids(two)).toContain('beats');
    }
    expect(await ids(two)).toEqual(['beats']);
  });

  it('tidies dead leases and leftovers away, late, and nothing else', async () => {
    const clock = new FakeClock();
    const driver = open(clock);
    await driver.register(users('dead'), signal);
    writeFileSync(join(folder, '.new-leftover'), '{');
    writeFileSync(join(folder, 'foreign'), 'x');
    const registered = clock.wallTime() / 1_000;
    utimesSync(join(folder, '.new-leftover'), registered, registered);
    utimesSync(join(folder, 'foreign'), registered, registered);
    await clock.advance(10_000);
    expect(await ids(driver)).toEqual([]);
    expect(readdirSync(folder)).toHaveLength(3);
    await clock.advance(60_000);
    await eventually(async () => {
      expect(await ids(driver)).toEqual([]);
      expect(readdirSync(folder)).toEqual(['foreign']);
    });
  });

  it('lets a killed process go by its id, long before its lease is over', { timeout: 20_000 }, async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const reader = open();
    const lease = { ...(JSON.parse(leaseText(users('child'))) as object), pid: child.pid };
    writeFileSync(join(folder, '.new-child'), JSON.stringify(lease));
    renameSync(join(folder, '.new-child'), join(folder, 'users.child.json'));
    const first = await reader.read('users', undefined, signal);
    expect(first.instances).toHaveLength(1);
    const exit = once(child, 'exit');
    const gone = reader.read('users', first.cursor, signal);
    const before = performance.now();
    child.kill('SIGKILL');
    await exit;
    expect((await gone).instances).toEqual([]);
    const tookMs = performance.now() - before;
    console.info(`file: a killed process was gone after ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThan(1_500);
  });

  it('does not let a registration that was given up come back after leaving', async () => {
    const driver = open();
    for (let round = 0; round < 20; round++) {
      const stop = new AbortController();
      const given = driver.register(users('late'), stop.signal).catch((error: unknown) => String(error));
      await eventually(() => true);
      stop.abort(new Error('given up'));
      await driver.deregister(users('late'), signal);
      await given;
      expect(await ids(driver)).toEqual([]);
    }
  });

  it('does not trust a process id of another machine', async () => {
    const reader = open();
    const elsewhere = { ...(JSON.parse(leaseText(users('far'))) as object), pid: 2 ** 22 + 1, machine: 'elsewhere' };
    writeFileSync(join(folder, 'users.far.json'), JSON.stringify(elsewhere));
    expect(await ids(reader)).toEqual(['far']);
  });

  it('does next to nothing while nothing happens', { timeout: 20_000 }, async () => {
    const driver = open();
    for (let number = 0; number < 10; number++) await driver.register(users(`i${number}`), signal);
    const { cursor } = await driver.read('users', undefined, signal);
    const idle = new FileDriver(folder, { maxWaitMs: 2_000 });
    drivers.push(idle);
    const before = process.cpuUsage();
    await idle.read('users', cursor, signal);
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1_000 / 2_000;
    console.info(`file: a waiting read of 10 instances costs ${(share * 100).toFixed(2)} % of a core`);
    expect(share).toBeLessThan(0.15);
  });

  it('leaves no timer and no half-written file behind', async () => {
    const clock = new FakeClock();
    const driver = open(clock);
    await Promise.all(Array.from({ length: 20 }, () => driver.register(users('same'), signal)));
    const text = readFileSync(join(folder, 'users.same.json'), 'utf8');
    expect(JSON.parse(text)).toHaveProperty('instance', users('same'));
    expect(readdirSync(folder)).toEqual(['users.same.json']);
    await driver.close();
    expect(clock.pending).toBe(0);
  });
});

describe('opening a folder by its URL', () => {
  const deps = { clock: new FakeClock(), random: Math.random };

  it('makes the folder', async () => {
    const parent = temporaryFolder();
    const driver = await openRegistry(`file:${parent}/a/b`, deps);
    expect(existsSync(join(parent, 'a', 'b'))).toBe(true);
    expect(driver.name).toBe(`the folder ${parent}/a/b`);
    await driver.close();
    await (await openRegistry(`file://${parent}/c%20d`, deps)).close();
    expect(existsSync(join(parent, 'c d'))).toBe(true);
    rmSync(parent, { recursive: true });
  });

  it.each([
    ['file:', 'names no folder; write file:.holdfast/registry.'],
    ['file://relative/folder', 'has two slashes before a relative folder; write file:folder or file:///folder.'],
    ['file:/dev/null/x', 'names a folder that cannot be used (ENOTDIR); name one that this process may read and write'],
    ['file:/dev/null', 'names a folder that cannot be used (EEXIST); name one that this process may read and write'],
    ['file:x?lease=3', 'has an unknown parameter "lease"; it takes none.'],
  ])('refuses %s', async (url, problem) => {
    const refused = openRegistry(url, deps);
    await expect(refused).rejects.toThrow(`REGISTRY_URL "${url}" ${problem}`);
    await expect(refused).rejects.toBeInstanceOf(StartupError);
  });
});
