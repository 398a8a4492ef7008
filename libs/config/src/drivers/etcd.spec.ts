import { backendAvailable, withEtcd, type Backend } from '@holdfast/testing';
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConfigDriver } from '../driver.js';
import { describeConfigDriver, type ConfigOpenOptions } from '../testing/driver-contract.js';
import { Follower, Proxy } from '../testing/store-failures.js';
import { ConfigAddress } from './config-address.js';
import { EtcdMember, EtcdUnreachable } from './etcd-member.js';
import { readEtcdUrl } from './etcd-url.js';
import { EtcdDriver } from './etcd.js';

const skip = !backendAvailable('etcd');
const signal = new AbortController().signal;
const read = (url: string, secret?: string) => readEtcdUrl(new ConfigAddress(url), secret);

describe('an etcd URL', () => {
  it('names members, prefix, user and password', () => {
    expect(read('etcd://10.0.0.1:2379,etcd-2,[::1]:23790/a/b/')).toEqual({
      hosts: ['10.0.0.1:2379', 'etcd-2:2379', '[::1]:23790'],
      prefix: 'a/b',
      login: undefined,
      tls: undefined,
    });
    expect(read('etcd://h')).toMatchObject({ hosts: ['h:2379'], prefix: '' });
    expect(read('etcd://h//config')).toMatchObject({ prefix: '/config' });
    expect(read('etcds://h/c')).toMatchObject({ tls: { ca: undefined, cert: undefined, key: undefined } });
    expect(read('etcd://me:a%40b:c@h').login).toEqual({ name: 'me', password: 'a@b:c' });
    expect(read('etcd://me@h', 'apart').login).toEqual({ name: 'me', password: 'apart' });
    expect(read('etcd://me:own@h', 'apart').login).toEqual({ name: 'me', password: 'own' });
    expect(read('etcd://h', 'apart').login).toBeUndefined();
  });

  it.each([
    ['etcd:h', 'is not readable; write etcd://host:port/prefix'],
    ['etcds://', 'is not readable; write etcds://host:port/prefix'],
    ['etcd://h:0/c', 'has the host "h:0"; write host:port'],
    ['etcd://h,,i/c', 'has the host ""'],
    ['etcd://me@h', 'has a user without a password'],
    ['etcd://:secret@h', 'has a user without a password, or the reverse'],
    ['etcd://me:sec%ret@h', 'is not encoded as a URL wants it'],
    ['etcd://h/c?ca=x', 'has certificates without TLS; write etcds://'],
    ['etcds://h/c?cert=x', 'has a cert without its key'],
    ['etcds://h/c?ca=/nowhere/secret', 'names a ca file that cannot be read (ENOENT); write ca=/path/to/ca.pem'],
    ['etcd://me:secret@h/c?password=secret', 'has an unknown parameter "password"'],
  ])('%s is refused', (url, problem) => {
    const refuse = () => read(url);
    expect(refuse).toThrow(problem);
    expect(refuse).not.toThrow(/secret@|sec%ret|=secret/);
  });
});

describe.skipIf(skip)('an etcd', { timeout: 30_000 }, () => {
  let etcd: Backend;
  let client: Etcd3;
  let url: string;
  let part = 0;
  let drivers: ConfigDriver[];

  const open = (options?: ConfigOpenOptions, from = url) => {
    const driver = new EtcdDriver(read(from), options);
    drivers.push(driver);
    return driver;
  };
  const put = (key: string, value: string) => client.put(`part-${part}/${key}`).value(value);
  const keys = async () =>
    (await client.getAll().prefix(`part-${part}/`).keys()).map((key) => key.slice(`part-${part}/`.length));
  const entries = async (driver: ConfigDriver) =>
    Object.fromEntries((await driver.read('svc', undefined, signal)).entries);
  const write = async (driver: ConfigDriver, changes: Record<string, string | undefined>) =>
    driver.write('svc', new Map(Object.entries(changes)), (await driver.read('svc', undefined, signal)).cursor, signal);

  beforeAll(async () => {
    etcd = await withEtcd();
    client = new Etcd3({ hosts: `http://${etcd.address}` });
  }, 30_000);
  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });
  beforeEach(() => {
    drivers = [];
    url = `${etcd.url}/part-${++part}`;
  });
  afterEach(() => Promise.all(drivers.map((driver) => driver.close())));

  // Each test has a prefix of its own, and a line that can be cut.
  describeConfigDriver('etcd', { skip, timeoutMs: 30_000, unreachableWithinMs: 1_500 }, async () => {
    const line = await Proxy.to(etcd.address);
    const prefix = `contract-${++part}`;
    const driver = (address: string, options?: ConfigOpenOptions) =>
      Promise.resolve(new EtcdDriver(read(`etcd://${address}/${prefix}`), options));
    return {
      open: (options) => driver(line.address, options),
      openBeside: () => driver(etcd.address),
      breakOff: () => line.cut(),
      bringBack: () => line.mend(),
      dispose: () => line.cut(),
    };
  });

  it('holds a document, single keys and the platform’s own in this layout', async () => {
    const driver = open();
    await write(driver, {
      '': 'a: 1',
      'greeting.template': 'Hi',
      'routes./x.limit': '1',
      '.history': '[]',
      'p%2F': '1',
    });
    expect(await keys()).toEqual([
      'svc',
      'svc/.history',
      'svc/greeting/template',
      'svc/p%252F',
      'svc/routes/%2Fx/limit',
    ]);
    await put('svc/log/level', 'debug');
    await put('svc-other/log/level', 'error');
    await put('svc0', 'no');
    await put('svc/folder/', '');
    expect(await entries(driver)).toEqual({
      '': 'a: 1',
      '.history': '[]',
      'greeting.template': 'Hi',
      'log.level': 'debug',
      'p%2F': '1',
      'routes./x.limit': '1',
    });
    await expect(write(driver, { 'a..b': '1' })).rejects.toThrow(
      '"a..b" is no path of a setting: it has an empty part.',
    );
  });

  it('takes both spellings of a path for the same, the later one winning, and leaves one behind', async () => {
    const driver = open();
    const [dots, slashes] = ['svc/resilience/users.get/timeout', 'svc/resilience/users/get/timeout'];
    await put(slashes, '1s');
    await put(dots, '2s');
    expect(await entries(driver)).toEqual({ 'resilience.users.get.timeout': '2s' });
    await put(slashes, '3s');
    expect(await entries(driver)).toEqual({ 'resilience.users.get.timeout': '3s' });
    await client
      .if(`part-${part}/none`, 'Version', '==', 0)
      .then(client.put(`part-${part}/${slashes}`).value('4s'), client.put(`part-${part}/${dots}`).value('5s'))
      .commit();
    expect(await entries(driver)).toEqual({ 'resilience.users.get.timeout': '4s' });
    await write(driver, { 'resilience.users.get.timeout': '6s' });
    expect(await keys()).toEqual([slashes]);
    await put(dots, '7s');
    await write(driver, { 'resilience.users.get.timeout': undefined });
    expect(await keys()).toEqual([]);
  });

  it.each([
    ['a change', () => put('svc/b', '2')],
    ['a new key', () => put('svc/new', '1')],
    ['a deletion', () => client.delete().key(`part-${part}/svc/b`)],
    ['the document’s deletion', () => client.delete().key(`part-${part}/svc`)],
  ])('loses against %s in the moment between its reading and its transaction', async (_, foreign) => {
    const driver = open();
    await write(driver, { '': 'a: 1', b: '1', c: '1' });
    const { cursor } = await driver.read('svc', undefined, signal);
    const txn = EtcdMember.prototype.txn;
    let calls = 0;
    vi.spyOn(EtcdMember.prototype, 'txn').mockImplementation(async function (this: EtcdMember, request) {
      if (++calls === 2) await foreign();
      return txn.call(this, request);
    });
    expect(await driver.write('svc', new Map([['c', 'lost']]), cursor, signal)).toBe(false);
    vi.restoreAllMocks();
    expect(calls).toBe(2);
    expect((await entries(driver))['c']).toBe('1');
  });

  it('takes nothing from a member that lags behind what the watch will tell', async () => {
    const driver = open();
    await write(driver, { '': 'n: 1' });
    const { cursor } = await driver.read('svc', undefined, signal);
    const txn = EtcdMember.prototype.txn;
    const ranges = { success: [{ request_range: { key: Buffer.from(`part-${part}/svc`) } }] };
    const lagging = await new EtcdMember(etcd.address, read(url)).txn({
      success: [...ranges.success, ...ranges.success],
    });
    await put('svc', 'n: 2');
    vi.spyOn(EtcdMember.prototype, 'txn').mockImplementation((request) =>
      request.success?.[0]?.request_range?.serializable
        ? Promise.resolve(lagging)
        : Promise.reject(new EtcdUnreachable('no leader.')),
    );
    expect((await driver.read('svc', undefined, signal)).entries.get('')).toBe('n: 1');
    await expect(driver.read('svc', cursor, signal)).rejects.toThrow('no leader.');
    vi.mocked(EtcdMember.prototype.txn).mockImplementation(txn);
    expect((await driver.read('svc', cursor, signal)).entries.get('')).toBe('n: 2');
    vi.restoreAllMocks();
  });

  it('says in a sentence what is too much for it', async () => {
    const driver = open();
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, '1']));
    await expect(write(driver, many)).rejects.toThrow(
      `etcd at ${etcd.address} takes 128 changes in one step, not 129.`,
    );
    await expect(write(driver, { '': 'x'.repeat(2_000_000) })).rejects.toThrow(
      /^etcd at .* answered: request is too large\.$/,
    );
    expect(await write(driver, { '': 'x'.repeat(1_000_000) })).toBe(true);
  });

  it('asks another member where one is not there', async () => {
    const driver = open({}, `etcd://127.0.0.1:1,${etcd.address}/part-${part}`);
    expect(await write(driver, { '': 'a: 1' })).toBe(true);
    expect(await entries(driver)).toEqual({ '': 'a: 1' });
    const alone = open({}, `etcd://127.0.0.1:1/part-${part}`);
    await expect(entries(alone)).rejects.toThrow('etcd at 127.0.0.1:1 cannot be reached (ECONNREFUSED).');
  });

  it('has one connection for each process, also for several services', async () => {
    const line = await Proxy.to(etcd.address);
    const driver = open({}, `etcd://${line.address}/part-${part}`);
    const followers = ['svc', 'other', 'third'].map((service) => new Follower(driver, service));
    await write(driver, { '': 'a: 1' });
    await vi.waitUntil(() => followers[0]?.settings !== undefined && (followers[0].settings as { a?: 1 }).a === 1);
    expect(line.connections).toBe(1);
    await Promise.all(followers.map((follower) => follower.stop()));
    await line.cut();
  });

  it('tells of 200 changes quickly, and misses no last one', async () => {
    const reader = open();
    const took: number[] = [];
    let sentAt = 0;
    let at = 0;
    const follower = new Follower(reader, 'svc', (settings) => {
      const { n = 0 } = settings as { n?: number };
      if (n > at) took.push(performance.now() - sentAt);
      at = n;
    });
    await vi.waitUntil(() => follower.last);
    for (let n = 1; n <= 200; n++) {
      sentAt = performance.now();
      await put('svc/n', String(n));
      await vi.waitUntil(() => at === n, { interval: 1, timeout: 5_000 });
    }
    await follower.stop();
    took.sort((a, b) => a - b);
    const ms = (share: number) => took[Math.ceil(took.length * share) - 1]!;
    console.info(`etcd: a change was read after ${ms(0.5).toFixed(1)} ms (p50), ${ms(0.99).toFixed(1)} ms (p99)`);
    // Far more than it takes, on a machine that does other things too.
    expect(ms(0.5)).toBeLessThan(50);
    expect(ms(0.99)).toBeLessThan(1_000);
  });
});
