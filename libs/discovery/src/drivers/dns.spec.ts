import { StartupError } from '@holdfast/core';
import { FakeClock, NameServer } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RegistryDriver } from '../driver.js';
import { openRegistry } from '../registry-url.js';
import { describeRegistryDriver } from '../testing/driver-contract.js';
import { DnsDriver } from './dns.js';
import { readDnsUrl } from './dns-url.js';
import { RegistryAddress } from './registry-address.js';

const settingsOf = (url: string) => readDnsUrl(new RegistryAddress(url));
const srv = (target: string, port: number, weight: number, priority = 0) =>
  ({ type: 'SRV', name: '_grpc._tcp.users.apps.svc', ttl: 5, data: { target, port, weight, priority } }) as const;
const signal = new AbortController().signal;

describeRegistryDriver('dns', { readOnly: true, unreachableWithinMs: 3_000 }, async () => {
  const server = await NameServer.start();
  return {
    open: (options) =>
      Promise.resolve(
        new DnsDriver(settingsOf(`dns://{service}.apps:5000?servers=${server.address}&everyMs=100`), options),
      ),
    breakOff: () => Promise.resolve(void (server.silent = true)),
    dispose: () => server[Symbol.asyncDispose](),
  };
});

describe('a registry of name servers', () => {
  const clock = new FakeClock();
  let server: NameServer;
  let driver: RegistryDriver;

  const open = async (body: string) => {
    driver = await openRegistry(`${body}?servers=${server.address}`, { clock, random: Math.random });
  };
  const read = async (service: string, after?: string) => driver.read(service, after, signal);

  beforeEach(async () => {
    server = await NameServer.start();
  });
  afterEach(async () => {
    await driver.close();
    await server[Symbol.asyncDispose]();
  });

  it('has the addresses of a name, with the port of the URL', async () => {
    await open('dns://{service}.apps.svc:50051');
    server.has('users.apps.svc', ['127.0.0.3', '127.0.0.2']);
    expect((await read('users')).instances).toEqual([
      { id: 'users@127.0.0.2:50051', service: 'users', host: '127.0.0.2', port: 50051, protocol: 'grpc' },
      { id: 'users@127.0.0.3:50051', service: 'users', host: '127.0.0.3', port: 50051, protocol: 'grpc' },
    ]);
    server.has('users.apps.svc', ['::1']);
    expect((await read('users')).instances).toMatchObject([{ id: 'users@[::1]:50051', host: '::1' }]);
  });

  it('has what SRV records say: ports, and shares where they are not even', async () => {
    await open('dns://_grpc._tcp.{service}.apps.svc');
    server.has('one.apps.svc', ['127.0.0.1']);
    server.has('two.apps.svc', ['127.0.0.2']);
    const name = '_grpc._tcp.users.apps.svc';
    server.zone.set(name, [srv('one.apps.svc', 1, 33), srv('two.apps.svc', 2, 33)]);
    expect((await read('users')).instances).toEqual([
      { id: 'users@127.0.0.1:1', service: 'users', host: '127.0.0.1', port: 1, protocol: 'grpc' },
      { id: 'users@127.0.0.2:2', service: 'users', host: '127.0.0.2', port: 2, protocol: 'grpc' },
    ]);
    server.zone.set(name, [srv('one.apps.svc', 1, 300), srv('two.apps.svc', 2, 600), srv('two.apps.svc', 3, 9, 1)]);
    expect((await read('users')).instances.map(({ port, weight }) => [port, weight])).toEqual([
      [1, 50],
      [2, 100],
    ]);
  });

  it('asks again every second until the answer is another one', async () => {
    await open('dns://{service}.apps.svc:50051');
    server.has('users.apps.svc', ['127.0.0.2']);
    const { cursor } = await read('users');
    let found = 0;
    const next = read('users', cursor).then(({ instances }) => (found = instances.length));
    await expect.poll(() => server.asked).toBe(2);
    server.has('users.apps.svc', ['127.0.0.2', '127.0.0.3']);
    await clock.advance(999);
    expect(server.asked).toBe(2);
    // Whenever the answer comes that is on its way, there is a sleep to wake from.
    await expect.poll(() => clock.advance(1_000).then(() => found)).toBe(2);
    await next;
  });

  it('takes a name that is not there for nobody, and a failure for a failure', async () => {
    await open('dns://{service}.apps.svc:50051');
    expect((await read('users')).instances).toEqual([]);
    server.has('users.apps.svc', []);
    expect((await read('users')).instances).toEqual([]);
    server.zone.set('users.apps.svc', 'SERVFAIL');
    await expect(read('users')).rejects.toThrow(
      `dns at ${server.address} gave no A records of users.apps.svc (ESERVFAIL).`,
    );
  });

  it('says how long a leaver waits: until the name is asked for again, and what is kept on the way is old', async () => {
    await open('dns://{service}.apps.svc:50051');
    expect(driver.propagationMs).toBe(6_000);
  });
});

describe('a DNS URL', () => {
  it('is read in full', () => {
    expect(settingsOf('dns://{service}.a-b.c:1?servers=127.0.0.1:5353,[::1],10.96.0.10&everyMs=200&ttlMs=0')).toEqual({
      name: '{service}.a-b.c',
      port: 1,
      servers: ['127.0.0.1:5353', '[::1]', '10.96.0.10'],
      everyMs: 200,
      ttlMs: 0,
    });
  });

  const example = 'dns://{service}.holdfast.svc.cluster.local:50051';
  it.each([
    ['dns:users', `is not readable; write ${example}.`],
    ['dns://{service}:0', `is not readable; write ${example}.`],
    ['dns://{service}.a:70000', `is not readable; write ${example}.`],
    ['dns://{users}:1', `is not readable; write ${example}.`],
    ['dns://users:1', `does not say where the name of a service goes; write {service} there, as in ${example}.`],
    [
      'dns://{service}:1?servers=ns1',
      'has the name server "ns1"; write its address, such as 10.96.0.10 or 127.0.0.1:5353.',
    ],
    ['dns://{service}:1?everyMs=1', 'has everyMs=1; write a number of milliseconds from 100 to 60000.'],
    ['dns://{service}:1?ttlMs=5s', 'has ttlMs=5s; write a number of milliseconds from 0 to 600000.'],
    ['dns://{service}:1?ttl=5', 'has an unknown parameter "ttl"; use servers, everyMs, ttlMs.'],
  ])('%s is refused', async (url, problem) => {
    const refused = openRegistry(url, { clock: new FakeClock(), random: Math.random });
    await expect(refused).rejects.toThrow(`REGISTRY_URL "${url}" ${problem}`);
    await expect(refused).rejects.toBeInstanceOf(StartupError);
  });
});
