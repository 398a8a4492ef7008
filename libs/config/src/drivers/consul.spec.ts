import { backendAvailable, withConsul, type Backend } from '@holdfast/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConfigDriver } from '../driver.js';
import { describeConfigDriver, type ConfigOpenOptions } from '../testing/driver-contract.js';
import { Follower, Proxy } from '../testing/store-failures.js';
import { ConfigAddress } from './config-address.js';
import { ConsulAgent } from './consul-agent.js';
import { readConsulUrl } from './consul-url.js';
import { ConsulDriver } from './consul.js';

const skip = !backendAvailable('consul');
const signal = new AbortController().signal;
const read = (url: string, secret?: string) => readConsulUrl(new ConfigAddress(url), secret);

/** Does something foreign after the driver's reading, before its transaction. */
const between = (foreign: () => Promise<unknown>) => {
  const ask = ConsulAgent.prototype.ask;
  vi.spyOn(ConsulAgent.prototype, 'ask').mockImplementation(async function (this: ConsulAgent, question, ended) {
    if (question.method === 'PUT') await foreign();
    return ask.call(this, question, ended);
  });
};

/** So many changes. */
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, '1']));

describe('a Consul URL', () => {
  it('names agents, prefix, token and datacentre', () => {
    expect(read('consul://10.0.0.1:8500,consul-2,[::1]:1/a/b/?dc=east')).toEqual({
      hosts: [
        { host: '10.0.0.1', port: 8500 },
        { host: 'consul-2', port: 8500 },
        { host: '[::1]', port: 1 },
      ],
      prefix: 'a/b',
      dc: 'east',
      token: undefined,
      ca: undefined,
      secure: false,
    });
    expect(read('consul://h')).toMatchObject({ prefix: '' });
    expect(read('consul+tls://h')).toMatchObject({ secure: true });
    expect(read('consul://a%40b@h', 'apart').token).toBe('a@b');
    expect(read('consul://h?token=own', 'apart').token).toBe('own');
    expect(read('consul://h', 'apart').token).toBe('apart');
    expect(read('consul://h', '').token).toBeUndefined();
  });

  it.each([
    ['consul:h', 'is not readable; write consul://host:port/prefix'],
    ['consul://h:70000/c', 'has the host "h:70000"; write host:port'],
    ['consul://h//c', 'has two slashes before its prefix'],
    ['consul://sec%ret@h', 'is not encoded as a URL wants it'],
    ['consul://secret@h/c?ca=x', 'has a ca without TLS; write consul+tls://'],
    [
      'consul+tls://h/c?ca=/nowhere&token=secret',
      'names a ca file that cannot be read (ENOENT); write ca=/path/to/ca.pem',
    ],
    ['consul://h/c?key=x', 'has an unknown parameter "key"'],
  ])('%s is refused', (url, problem) => {
    const refuse = () => read(url);
    expect(refuse).toThrow(problem);
    expect(refuse).not.toThrow(/secret@|sec%ret|=secret/);
  });
});

describe.skipIf(skip)('a Consul', { timeout: 30_000 }, () => {
  let agent: Backend;
  let url: string;
  let part = 0;
  let drivers: ConfigDriver[];

  const open = (options?: ConfigOpenOptions, from = url) => {
    const driver = new ConsulDriver(read(from), options);
    drivers.push(driver);
    return driver;
  };
  const kv = (key: string, init?: RequestInit) => fetch(`http://${agent.address}/v1/kv/part-${part}/${key}`, init);
  const put = async (key: string, body: string) => void (await kv(key, { method: 'PUT', body }));
  const keys = async () => {
    const response = await kv('?keys');
    const found = response.ok ? ((await response.json()) as string[]) : [];
    return found.map((key) => key.slice(`part-${part}/`.length)).filter((key) => !key.endsWith('/.guard'));
  };
  const entries = async (driver: ConfigDriver) =>
    Object.fromEntries((await driver.read('svc', undefined, signal)).entries);
  const write = async (driver: ConfigDriver, changes: Record<string, string | undefined>) =>
    driver.write('svc', new Map(Object.entries(changes)), (await driver.read('svc', undefined, signal)).cursor, signal);

  beforeAll(async () => void (agent = await withConsul()), 30_000);
  afterAll(() => agent?.stop());
  beforeEach(() => {
    drivers = [];
    url = `${agent.url}/part-${++part}`;
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(drivers.map((driver) => driver.close()));
  });

  // Each test has a prefix of its own, and a line that can be cut.
  describeConfigDriver('consul', { skip, timeoutMs: 30_000, unreachableWithinMs: 1_000 }, async () => {
    const line = await Proxy.to(agent.address);
    const prefix = `contract-${++part}`;
    const driver = (address: string, options?: ConfigOpenOptions) =>
      Promise.resolve(new ConsulDriver(read(`consul://${address}/${prefix}`), options));
    return {
      open: (options) => driver(line.address, options),
      openBeside: () => driver(agent.address),
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
    await put(dots, '5s');
    await write(driver, { 'resilience.users.get.timeout': '6s' });
    expect(await keys()).toEqual([slashes]);
    await put(dots, '7s');
    await write(driver, { 'resilience.users.get.timeout': undefined });
    expect(await keys()).toEqual([]);
  });

  it.each([
    ['a change', () => put('svc/b', '2')],
    ['a deletion', () => kv('svc/b', { method: 'DELETE' })],
    ['the document’s deletion', () => kv('svc', { method: 'DELETE' })],
    ['a change of what it writes itself', () => put('svc/c', '2')],
  ])('loses against %s in the moment between its reading and its transaction', async (_, foreign) => {
    const driver = open();
    await write(driver, { '': 'a: 1', b: '1', c: '1' });
    const { cursor } = await driver.read('svc', undefined, signal);
    between(foreign);
    expect(await driver.write('svc', new Map([['c', 'lost']]), cursor, signal)).toBe(false);
    vi.restoreAllMocks();
    expect((await entries(driver))['c']).not.toBe('lost');
  });

  it.each([
    ['a new document', { '': 'a: 1' }],
    ['a new key', { new: '1' }],
    ['nothing', {}],
  ])('loses against another driver that wrote %s in that moment', async (_, theirs) => {
    const [driver, other] = [open(), open()];
    const { cursor } = await driver.read('svc', undefined, signal);
    let done = false;
    between(async () => {
      if (done) return;
      done = true;
      expect(await write(other, theirs)).toBe(true);
    });
    expect(await driver.write('svc', new Map([['c', 'lost']]), cursor, signal)).toBe(false);
  });

  it('says in a sentence what is too much for it', async () => {
    const driver = open();
    expect(await write(driver, many(63))).toBe(true);
    expect(await write(driver, { more: '1', k0: '2' })).toBe(true);
    expect(Object.keys(await entries(driver))).toHaveLength(64);
    await expect(write(driver, many(64))).rejects.toThrow(
      `consul at ${agent.address} takes 63 changes in one step, not 64.`,
    );
    await expect(write(driver, { '': 'x'.repeat(524_289) })).rejects.toThrow(
      `consul at ${agent.address} takes 524288 bytes for one key, not 524289 ("part-${part}/svc").`,
    );
    expect(await write(driver, { '': 'x'.repeat(300_000) })).toBe(true);
    const large = { a: 'x'.repeat(500_000), b: 'x'.repeat(500_000), c: 'x'.repeat(500_000) };
    await expect(write(driver, large)).rejects.toThrow(/^consul at .* answered 413: .*\.$/);
  });

  it('asks another agent where one is not there, and keeps its word on the datacentre', async () => {
    const driver = open({}, `consul://127.0.0.1:1,${agent.address}/part-${part}?dc=dc1`);
    expect(await write(driver, { '': 'a: 1' })).toBe(true);
    expect(await entries(driver)).toEqual({ '': 'a: 1' });
    const alone = open({}, `consul://127.0.0.1:1/part-${part}`);
    await expect(entries(alone)).rejects.toThrow('consul at 127.0.0.1:1 cannot be reached (ECONNREFUSED).');
    const elsewhere = open({}, `${url}?dc=elsewhere`);
    await expect(entries(elsewhere)).rejects.toThrow(/answered 500: No path to datacenter\.$/);
  });

  it('does not spin for what others do', async () => {
    const driver = open({ maxWaitMs: 2_000 });
    const asked = vi.spyOn(ConsulAgent.prototype, 'ask');
    const { cursor } = await driver.read('svc', undefined, signal);
    const reading = driver.read('svc', cursor, signal);
    const until = performance.now() + 1_500;
    let writes = 0;
    for (; performance.now() < until; writes++) await put('svc-of-others', String(writes));
    await reading;
    console.info(`consul: asked ${asked.mock.calls.length} times while others wrote ${writes} times`);
    expect(asked.mock.calls.length).toBeLessThan(250);
  });

  it('tells of 200 changes quickly, and misses no last one', async () => {
    const took: number[] = [];
    let sentAt = 0;
    let at = 0;
    const follower = new Follower(open(), 'svc', (settings) => {
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
    console.info(`consul: a change was read after ${ms(0.5).toFixed(1)} ms (p50), ${ms(0.99).toFixed(1)} ms (p99)`);
    // Far more than it takes, on a machine that does other things too.
    expect(ms(0.5)).toBeLessThan(50);
    expect(ms(0.99)).toBeLessThan(1_000);
  });
});
