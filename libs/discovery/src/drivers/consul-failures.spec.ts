import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { backendAvailable, eventually, freePort, startConsulCluster, withConsul } from '@holdfast/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Instance, RegistryDriver } from '../driver.js';
import { readConsulUrl } from './consul-url.js';
import { ConsulDriver } from './consul.js';
import { RegistryAddress } from './registry-address.js';

const skip = !backendAvailable('consul');
const signal = new AbortController().signal;
const drivers: RegistryDriver[] = [];

/** A driver that the spec closes. */
function open(url: string): ConsulDriver {
  const driver = new ConsulDriver(readConsulUrl(new RegistryAddress(url), undefined));
  drivers.push(driver);
  return driver;
}

const instance = (changes: Partial<Instance> = {}): Instance => ({
  id: 'users-1',
  service: 'users',
  host: '127.0.0.1',
  port: 5_001,
  protocol: 'grpc',
  ...changes,
});

const ids = async (driver: RegistryDriver, service = 'users') =>
  (await driver.read(service, undefined, signal)).instances.map(({ id }) => id).sort();

afterEach(async () => {
  await Promise.all(drivers.splice(0).map((driver) => driver.close()));
});

describe('a Consul that misbehaves', () => {
  let server: Server;
  let url: string;
  let answer: Parameters<typeof createServer>[1];

  beforeAll(async () => {
    server = createServer((request, response) => answer?.call(server, request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `consul://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close().closeAllConnections());

  it('is given up at once when it breaks off in the middle of an answer', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('[{"Node":', () => response.destroy());
    };
    const before = performance.now();
    await expect(open(url).read('users', undefined, signal)).rejects.toThrow(/cannot be reached \(.*\)\.$/);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('is given up when it accepts and stays silent', { timeout: 15_000 }, async () => {
    answer = () => {};
    const before = performance.now();
    await expect(open(url).read('users', undefined, signal)).rejects.toThrow('gave no answer within 5000 ms.');
    expect(performance.now() - before).toBeLessThan(6_000);
  });

  it('is not believed an index that is no number from 1 on', async () => {
    const asked: string[] = [];
    answer = (request, response) => {
      asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('index') ?? 'none');
      response.setHeader('x-consul-index', '0').setHeader('content-type', 'application/json').end('[]');
    };
    const driver = open(url);
    const { cursor } = await driver.read('users', undefined, signal);
    await driver.read('users', cursor, signal);
    expect(asked).toEqual(['none', 'none']);
  });

  it('is asked anew, without an index, once a connection has ended in between', async () => {
    const asked: string[] = [];
    answer = (request, response) => {
      asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('index') ?? 'none');
      response.setHeader('x-consul-index', '41').setHeader('content-type', 'application/json').end('[]');
    };
    const driver = open(url);
    let { cursor } = await driver.read('users', undefined, signal);
    ({ cursor } = await driver.read('users', cursor, signal));
    server.closeAllConnections();
    await eventually(async () => {
      ({ cursor } = await driver.read('users', cursor, signal).catch(() => ({ cursor })));
      return asked.length > 2;
    });
    expect(asked.slice(0, 3)).toEqual(['none', '41', 'none']);
    await driver.read('users', cursor, signal);
    expect(asked.at(-1)).toBe('41');
  });

  it('is left for the next host when it is silent or in trouble, but not because a caller gives up', async () => {
    let spare = 0;
    const second = createServer((_, response) => {
      spare++;
      response.setHeader('x-consul-index', '5').setHeader('content-type', 'application/json').end('[]');
    });
    second.listen(0, '127.0.0.1');
    await once(second, 'listening');
    let asked = 0;
    answer = () => asked++;
    const driver = open(`${url},127.0.0.1:${(second.address() as AddressInfo).port}`);
    for (let round = 1; round <= 3; round++) {
      const stop = new AbortController();
      const given = driver.read('users', undefined, stop.signal).catch((error: unknown) => String(error));
      await eventually(() => asked === round);
      stop.abort(new Error('given up'));
      expect(await given).toBe('Error: given up');
    }
    expect(spare).toBe(0);
    answer = (_, response) => response.writeHead(500).end('No cluster leader');
    await expect(driver.read('users', undefined, signal)).rejects.toThrow('answered 500: No cluster leader.');
    expect(await ids(driver)).toEqual([]);
    expect(spare).toBe(1);
    second.close().closeAllConnections();
  });

  it('may answer with an error page', async () => {
    answer = (_, response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad</h1>\n<p>gateway');
    await expect(open(url).read('users', undefined, signal)).rejects.toThrow(/answered 502: <h1>Bad<\/h1>\.$/);
  });
});

describe.skipIf(skip)('several Consul agents', { timeout: 120_000 }, () => {
  it('are tried in turn', async () => {
    await using agent = await withConsul();
    const dead = `127.0.0.1:${await freePort()}`;
    const driver = open(`consul://${dead},${agent.address}?check=ttl`);
    await driver.register(instance(), signal);
    expect(await ids(driver)).toEqual(['users-1']);
    expect(await driver.renew(instance(), signal)).toBe(true);
    await expect(open(`consul://${dead}`).read('users', undefined, signal)).rejects.toThrow(
      `consul at ${dead} cannot be reached (ECONNREFUSED).`,
    );
  });

  it('carry on with registrations and reads after their leader was killed', async () => {
    await using cluster = await startConsulCluster();
    const leader = await cluster.leader();
    // The leader comes first: the worst case, since everybody has to move.
    const hosts = [leader, ...cluster.members.filter((member) => member !== leader)].map(({ address }) => address);
    const url = `consul://${hosts.join(',')}?check=ttl`;
    const [owner, reader] = [open(url), open(url)];
    const before = instance({ id: 'before' });
    await owner.register(before, signal);
    await eventually(async () => expect(await ids(reader)).toEqual(['before']));

    // The least that Discovery does: renew, and register again what was forgotten.
    const kept = new Set([before]);
    const keep = async (one: Instance) => {
      if (!(await owner.renew(one, signal))) await owner.register(one, signal);
    };
    const keeper = setInterval(() => kept.forEach((one) => void keep(one).catch(() => {})), 500);

    await leader.kill('SIGKILL');
    const killedAt = performance.now();
    const tookMs = () => (performance.now() - killedAt).toFixed(0);
    await eventually(() => reader.read('users', undefined, signal), { withinMs: 30_000 });
    const readableMs = tookMs();
    const after = instance({ id: 'after' });
    await eventually(() => owner.register(after, signal).then(() => true), { withinMs: 30_000 });
    kept.add(after);
    await eventually(async () => expect(await ids(reader)).toEqual(['after', 'before']), { withinMs: 60_000 });
    console.info(
      `consul cluster: leader killed; reads back after ${readableMs} ms, all registrations after ${tookMs()} ms`,
    );
    clearInterval(keeper);
    await owner.deregister(before, signal);
    await eventually(async () => expect(await ids(reader)).toEqual(['after']), { withinMs: 20_000 });
  });
});
