import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { backendAvailable, eventually, requireBinary, withConsul, type Backend } from '@holdfast/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Instance, RegistryDriver } from '../driver.js';
import { describeRegistryDriver, type OpenOptions } from '../testing/driver-contract.js';
import { readConsulUrl } from './consul-url.js';
import { ConsulDriver } from './consul.js';
import { RegistryAddress } from './registry-address.js';

const skip = !backendAvailable('consul');
const signal = new AbortController().signal;
const drivers: RegistryDriver[] = [];

/** A driver that the spec closes. */
function open(url: string, options: OpenOptions & { token?: string; tags?: string[] } = {}): ConsulDriver {
  const { token, ...rest } = options;
  const driver = new ConsulDriver(readConsulUrl(new RegistryAddress(url), token), rest);
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

{
  let agent: Backend;
  let part = 0;
  beforeAll(async () => void (skip || (agent = await withConsul())), 30_000);
  afterAll(() => agent?.stop());

  // A heartbeat check, since nobody listens at the addresses that the contract makes up. Each test has a prefix of its own.
  describeRegistryDriver('consul', { skip, crashWithinMs: 9_000, timeoutMs: 30_000 }, () => {
    const prefix = `part-${++part}-`;
    return Promise.resolve({
      open: (options?: OpenOptions) => Promise.resolve(open(`${agent.url}?check=ttl&prefix=${prefix}`, options)),
    });
  });
}

describeRegistryDriver(
  'consul that dies',
  { skip, crashWithinMs: 9_000, unreachableWithinMs: 1_000, timeoutMs: 30_000 },
  async () => {
    const agent = await withConsul();
    return {
      open: (options) => Promise.resolve(open(`${agent.url}?check=ttl`, options)),
      breakOff: () => agent.kill(),
      dispose: () => agent.stop(),
    };
  },
);

describe.skipIf(skip)('a Consul agent', { timeout: 30_000 }, () => {
  let agent: Backend;
  const ask = async (path: string, init?: RequestInit): Promise<unknown> => {
    const response = await fetch(`http://${agent.address}/v1${path}`, init);
    return response.json();
  };

  beforeAll(async () => void (agent = await withConsul()), 30_000);
  afterAll(() => agent.stop());

  it('is told weights, tags and a check for every kind of instance', async () => {
    const grpc = open(agent.url);
    await grpc.register(instance({ id: 'g', service: 'kinds', weight: 40 }), signal);
    await grpc.register(instance({ id: 'h', service: 'kinds', protocol: 'http', adminPort: 9_901 }), signal);
    await grpc.register(instance({ id: 't', service: 'kinds', protocol: 'http' }), signal);
    await open(`${agent.url}?check=http`).register(instance({ id: 'a', service: 'kinds', adminPort: 9_902 }), signal);
    const checks = (await ask('/agent/checks')) as Record<string, { Name: string; Type: string }>;
    const typeOf = (id: string) => checks[`service:${id}`]?.Type;
    expect([typeOf('g'), typeOf('h'), typeOf('t'), typeOf('a')]).toEqual(['grpc', 'http', 'ttl', 'http']);
    await open(agent.url, { tags: ['a=b', 'c'] }).register(instance({ id: 'w', service: 'kinds' }), signal);
    const services = (await ask('/agent/services')) as Record<
      string,
      { Weights: unknown; Meta: unknown; Tags: string[] }
    >;
    expect(services['w']?.Tags).toEqual(['a=b', 'c']);
    expect(services['g']?.Tags).toEqual([]);
    expect(services['g']?.Weights).toEqual({ Passing: 40, Warning: 40 });
    expect(services['h']?.Meta).toMatchObject({ 'admin-port': '9901', protocol: 'http' });
    const impossible = open(`${agent.url}?check=http`).register(instance({ service: 'kinds' }), signal);
    await expect(impossible).rejects.toThrow('users-1 has no admin port that Consul could check over HTTP');
  });

  it('lists an instance only while its readiness says yes', async () => {
    let ready = true;
    const admin = createServer((request, response) => {
      response.statusCode = ready && request.url === '/readyz' ? 200 : 503;
      response.end();
    });
    admin.listen(0, '127.0.0.1');
    await once(admin, 'listening');
    const driver = open(agent.url);
    const { port: adminPort } = admin.address() as AddressInfo;
    await driver.register(instance({ service: 'checked', protocol: 'http', adminPort }), signal);
    expect(await ids(driver, 'checked')).toEqual(['users-1']);
    ready = false;
    await eventually(async () => expect(await ids(driver, 'checked')).toEqual([]), { withinMs: 5_000 });
    expect(await driver.renew(instance({ service: 'checked', protocol: 'http', adminPort }), signal)).toBe(true);
    ready = true;
    await eventually(async () => expect(await ids(driver, 'checked')).toEqual(['users-1']), { withinMs: 5_000 });
    const before = performance.now();
    await new Promise((resolve) => admin.close(resolve).closeAllConnections());
    await eventually(async () => expect(await ids(driver, 'checked')).toEqual([]), { withinMs: 5_000 });
    console.info(`consul: a crashed instance was gone after ${(performance.now() - before).toFixed(0)} ms`);
  });

  it('takes services of others as well as it goes', async () => {
    const body = { Name: 'foreign', ID: 'them', Port: 80, Address: '10.0.0.1', Weights: { Passing: 500, Warning: 1 } };
    await fetch(`http://${agent.address}/v1/agent/service/register`, { method: 'PUT', body: JSON.stringify(body) });
    await fetch(`http://${agent.address}/v1/agent/service/register`, {
      method: 'PUT',
      body: JSON.stringify({ Name: 'foreign', ID: 'no-port' }),
    });
    expect((await open(agent.url).read('foreign', undefined, signal)).instances).toEqual([
      { id: 'them', service: 'foreign', host: '10.0.0.1', port: 80, protocol: 'grpc', weight: 100 },
    ]);
  });

  it('is asked for names and ids as they are, whatever they contain', async () => {
    const driver = open(`${agent.url}?check=ttl&prefix=team-`);
    const odd = instance({ id: 'a/b?c=d#e f%2F', service: 'odd' });
    await driver.register(odd, signal);
    expect(await ids(driver, 'odd')).toEqual([odd.id]);
    expect(Object.keys((await ask('/catalog/services')) as object)).toContain('team-odd');
    expect(await driver.renew(odd, signal)).toBe(true);
    await driver.deregister(odd, signal);
    expect(await driver.renew(odd, signal)).toBe(false);
  });

  it('that only listens on IPv6 can be named too', async () => {
    const server = createServer((_, response) => response.setHeader('x-consul-index', '7').end('[]'));
    server.listen(0, '::1');
    await once(server, 'listening');
    const driver = open(`consul://[::1]:${(server.address() as AddressInfo).port}`);
    expect(await ids(driver)).toEqual([]);
    server.close().closeAllConnections();
  });

  it('keeps its word on the datacentre', async () => {
    const wrong = open(`${agent.url}?dc=elsewhere`);
    await expect(wrong.read('users', undefined, signal)).rejects.toThrow(/answered 500: No path to datacenter\.$/);
    expect(await ids(open(`${agent.url}?dc=dc1`))).toEqual([]);
  });
});

describe.skipIf(skip)('a Consul agent that is restarted', { timeout: 60_000 }, () => {
  it('has forgotten everybody, says so, and never leaves a reader with an old list', async () => {
    await using agent = await withConsul();
    const [driver, reader] = [open(`${agent.url}?check=ttl`), open(agent.url, { maxWaitMs: 20_000 })];
    // Its index is far ahead of what the restarted agent will have for a long time.
    for (let round = 0; round < 20; round++) await driver.register(instance({ version: String(round) }), signal);
    const { cursor } = await reader.read('users', undefined, signal);
    await agent.restart();
    const before = performance.now();
    const answer = await reader.read('users', cursor, signal).catch(() => reader.read('users', undefined, signal));
    expect(answer.instances).toEqual([]);
    expect(performance.now() - before).toBeLessThan(2_000);
    await eventually(async () => expect(await driver.renew(instance(), signal)).toBe(false));
    await driver.register(instance(), signal);
    await eventually(async () => expect(await ids(reader)).toEqual(['users-1']));
  });
});

describe.skipIf(skip)('a Consul agent with access control', { timeout: 30_000 }, () => {
  const token = '5f1d7a90-6b3c-4c1e-9a53-000000000001';
  let agent: Backend;
  beforeAll(async () => {
    agent = await withConsul({
      config: { acl: { enabled: true, default_policy: 'deny', tokens: { master: token, agent: token } } },
    });
    // The token means something from when the leader has read it.
    await eventually(async () => {
      const response = await fetch(`http://${agent.address}/v1/acl/tokens`, { headers: { 'x-consul-token': token } });
      return response.ok;
    });
  }, 30_000);
  afterAll(() => agent?.stop());

  it('accepts a token from the URL, before the host or as a parameter, or from outside', async () => {
    for (const driver of [
      open(`consul://${token}@${agent.address}?check=ttl`),
      open(`${agent.url}?check=ttl&token=${token}`),
      open(`${agent.url}?check=ttl`, { token }),
    ]) {
      await driver.register(instance(), signal);
      expect(await driver.renew(instance(), signal)).toBe(true);
      expect(await ids(driver)).toEqual(['users-1']);
      await driver.deregister(instance(), signal);
    }
  });

  it('refuses without one, and no message ever shows it', async () => {
    const bare = open(`${agent.url}?check=ttl`);
    await expect(bare.register(instance(), signal)).rejects.toThrow(/answered 403: Permission denied.*\.$/);
    expect(await bare.renew(instance(), signal)).toBe(false);
    const secret = 'not-the-right-token';
    const wrong = open(`consul://${secret}@${agent.address}?check=ttl`);
    const problem: unknown = await wrong.register(instance(), signal).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(Error);
    expect(inspect(problem, { depth: 10, showHidden: true })).not.toContain(secret);
    expect(wrong.name).toBe(`consul at ${agent.address}`);
  });
});

describe.skipIf(skip)('a Consul agent behind TLS', () => {
  it('is trusted by the authority that the URL names, and by no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    const consul = (...args: string[]) => execFileSync(requireBinary('consul'), ['tls', ...args], { cwd: folder });
    consul('ca', 'create');
    consul('cert', 'create', '-server');
    const [cert, key] = ['', '-key'].map((kind) => readFileSync(join(folder, `dc1-server-consul-0${kind}.pem`)));
    const server = createTlsServer({ cert, key }, (_, response) => {
      response.setHeader('x-consul-index', '3').setHeader('content-type', 'application/json').end('[]');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `consul+tls://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await ids(open(`${url}?ca=${join(folder, 'consul-agent-ca.pem')}`))).toEqual([]);
    await expect(open(url).read('users', undefined, signal)).rejects.toThrow(
      /cannot be reached \([A-Z_]*(CERT|VERIFY)[A-Z_]*\)\.$/,
    );
    server.close().closeAllConnections();
    rmSync(folder, { recursive: true });
  });
});
