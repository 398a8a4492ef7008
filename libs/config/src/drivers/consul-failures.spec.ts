import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { backendAvailable, eventually, requireBinary, startConsulCluster, withConsul } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { pause } from '../testing/contract-reading.js';
import { Follower, freeze, Proxy } from '../testing/store-failures.js';
import { ConfigAddress } from './config-address.js';
import { readConsulUrl } from './consul-url.js';
import { ConsulDriver, type ConsulOptions } from './consul.js';

const skip = !backendAvailable('consul');
const signal = new AbortController().signal;
const ends: (() => unknown)[] = [];

/** Ends it after the test, in the reverse order. */
function ending<T>(thing: T, end: (thing: T) => unknown): T {
  ends.unshift(() => end(thing));
  return thing;
}

const open = (url: string, options?: ConsulOptions, token?: string) =>
  ending(new ConsulDriver(readConsulUrl(new ConfigAddress(url), token), options), (driver) => driver.close());
const follow = (driver: ConsulDriver) => ending(new Follower(driver, 'svc'), (follower) => follower.stop());
const line = async (target: string) => ending(await Proxy.to(target), (proxy) => proxy.cut());
const start = async (options?: Parameters<typeof withConsul>[0]) =>
  ending(await withConsul(options), (agent) => agent.stop());
const shows = (follower: Follower, n: number, withinMs = 10_000) =>
  eventually(() => expect(follower.settings).toEqual({ n }), { withinMs, everyMs: 2 });
const put = async (address: string, key: string, body: string, headers: Record<string, string> = {}) => {
  const late = AbortSignal.timeout(1_000);
  const response = await fetch(`http://${address}/v1/kv/${key}`, { method: 'PUT', body, headers, signal: late });
  return response.ok;
};

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
}, 20_000);

describe.skipIf(skip)('a Consul whose line breaks', { timeout: 60_000 }, () => {
  it('loses no last state of 60 breaks with writes going on', async () => {
    const agent = await start();
    const proxy = await line(agent.address);
    const follower = follow(open(`consul://${proxy.address}/c`));
    for (let n = 1; n <= 60; n++) {
      await put(agent.address, 'c/svc', `n: ${n}`);
      proxy.drop();
      if (n % 3 === 0) await shows(follower, n, 3_000);
    }
    await shows(follower, 60, 3_000);
    expect(proxy.connections).toBeGreaterThan(20);
  });

  it('is given up at once when it breaks off in the middle of an answer', async () => {
    const agent = await start();
    await put(agent.address, 'c/svc', `x: ${'y'.repeat(200_000)}`);
    const proxy = await line(agent.address);
    const driver = open(`consul://${proxy.address}/c`);
    const { cursor } = await driver.read('svc', undefined, signal);
    for (const remaining of [10, 300, 100_000]) {
      proxy.remaining = remaining;
      const before = performance.now();
      await expect(driver.read('svc', undefined, signal)).rejects.toThrow(/cannot be reached \(.*\)\.$/);
      expect(performance.now() - before).toBeLessThan(1_000);
    }
    proxy.remaining = 10;
    const write = driver.write('svc', new Map([['', 'n: 1']]), cursor, signal);
    await expect(write).rejects.toThrow(/cannot be reached \(.*\)\.$/);
    proxy.remaining = Infinity;
    expect((await driver.read('svc', undefined, signal)).entries.size).toBe(1);
  });

  it('says that it does not know about a write whose answer was lost', async () => {
    const agent = await start();
    await put(agent.address, 'c/svc', 'n: 0');
    const proxy = await line(agent.address);
    const driver = open(`consul://${proxy.address}/c`);
    const { cursor } = await driver.read('svc', undefined, signal);
    const answer = await fetch(`http://${agent.address}/v1/kv/c%2Fsvc?recurse=`);
    const size = Number(answer.headers.get('content-length'));
    // Enough for the reading that goes before, and for the beginning of the transaction's answer.
    proxy.remaining = size + 420;
    const write = driver.write('svc', new Map([['', 'n: 1']]), cursor, signal);
    await expect(write).rejects.toThrow(/; the change may have been written or not\.$/);
    proxy.remaining = Infinity;
    expect((await driver.read('svc', undefined, signal)).entries.get('')).toBe('n: 1');
  });
});

describe.skipIf(skip)('a Consul agent that is restarted', { timeout: 60_000 }, () => {
  it('with an empty store, is followed although its indexes begin again', async () => {
    const agent = await start();
    const driver = open(`${agent.url}/c`);
    const follower = follow(driver);
    for (let n = 1; n <= 30; n++) await put(agent.address, 'c/svc', `n: ${n}`);
    await shows(follower, 30);
    const { cursor } = follower.last!;
    await agent.restart();
    const before = performance.now();
    await eventually(() => expect(follower.settings).toEqual({}), { withinMs: 5_000 });
    expect((await driver.read('svc', cursor, signal)).entries.size).toBe(0);
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(await driver.write('svc', new Map([['', 'n: 5']]), cursor, signal)).toBe(false);
    await put(agent.address, 'c/svc', 'n: 7');
    await shows(follower, 7, 1_000);
  });

  it('with its store, goes on where it was', async () => {
    const agent = await start({ durable: true });
    const follower = follow(open(`${agent.url}/c`));
    await put(agent.address, 'c/svc', 'n: 1');
    await shows(follower, 1);
    await agent.restart();
    await eventually(() => put(agent.address, 'c/svc', 'n: 2'), { withinMs: 20_000 });
    await shows(follower, 2, 5_000);
    expect(follower.last?.entries.get('')).toBe('n: 2');
  });

  it('shows when it is frozen, and another agent takes its place', async () => {
    const [agent, spare] = [await start(), await start()];
    await put(agent.address, 'c/svc', 'n: 1');
    await put(spare.address, 'c/svc', 'n: 2');
    const driver = open(`consul://${agent.address},${spare.address}/c`, { maxWaitMs: 3_000 });
    const follower = follow(driver);
    await shows(follower, 1);
    await freeze(agent);
    const frozenAt = performance.now();
    await shows(follower, 2, 12_000);
    console.info(`consul: frozen, another followed after ${(performance.now() - frozenAt).toFixed(0)} ms`);
    expect(follower.problems).toEqual([]);
    await agent.kill('SIGCONT');
  });

  it('is followed again soon when it was only frozen for a while', async () => {
    const agent = await start();
    await put(agent.address, 'c/svc', 'n: 1');
    const driver = open(`${agent.url}/c`);
    const follower = follow(driver);
    await shows(follower, 1);
    const { cursor } = follower.last!;
    await freeze(agent);
    await expect(driver.read('svc', undefined, signal)).rejects.toThrow('gave no answer in time.');
    const write = driver.write('svc', new Map([['', 'n: 5']]), cursor, signal);
    await expect(write).rejects.toThrow('gave no answer in time.');
    await agent.kill('SIGCONT');
    await put(agent.address, 'c/svc', 'n: 2');
    await shows(follower, 2, 1_000);
  });
});

describe.skipIf(skip)('a Consul cluster', { timeout: 120_000 }, () => {
  it('is followed through the loss of its leader, with writes going on', async () => {
    const cluster = ending(await startConsulCluster(), (agents) => agents.stop());
    const leader = await cluster.leader();
    const others = cluster.members.filter((member) => member !== leader).map(({ address }) => address);
    const follower = follow(open(`consul://${[leader.address, ...others].join(',')}/c`));
    let n = 0;
    const enough = new AbortController();
    const writes = (async () => {
      for (let next = 1; !enough.signal.aborted; next++) {
        if (await put(others[next % 2]!, 'c/svc', `n: ${next}`).catch(() => false)) n = next;
        await pause(10);
      }
    })();
    const seen = () => (follower.settings as { n?: number })?.n ?? 0;
    await eventually(() => expect(seen()).toBeGreaterThan(20));
    await leader.kill('SIGKILL');
    const [killedAt, before] = [performance.now(), n];
    await eventually(() => expect(n).toBeGreaterThan(before + 1), { withinMs: 40_000 });
    const writableMs = (performance.now() - killedAt).toFixed(0);
    await eventually(() => expect(seen()).toBeGreaterThan(before + 1), { withinMs: 10_000 });
    const ms = (performance.now() - killedAt).toFixed(0);
    console.info(`consul cluster: leader killed; writable after ${writableMs} ms, followed again after ${ms} ms`);
    enough.abort();
    await writes;
    await eventually(() => put(others[0]!, 'c/svc', 'n: 100000'));
    await shows(follower, 100_000, 2_000);
  });
});

describe('a Consul that misbehaves', () => {
  it.each([
    ['an error page', 502, '<h1>Bad</h1>\n<p>gateway', {}, /answered 502: <h1>Bad<\/h1>\.$/],
    ['a page of another server', 404, 'Not Found', {}, /answered 404: Not Found\.$/],
    ['what is no JSON', 200, '[{', { 'x-consul-index': '3' }, /answered with what is no JSON\.$/],
    ['what are no keys', 200, '[7]', { 'x-consul-index': '3' }, /answered with what is no list of keys\.$/],
    ['what is no list', 200, '7', { 'x-consul-index': '3' }, /answered with what is no list of keys\.$/],
  ])('and answers with %s is refused in a sentence', async (_, status, body, headers, problem) => {
    const server = createServer((_request, response) => response.writeHead(status, headers).end(body));
    server.listen(0, '127.0.0.1');
    ending(server, () => server.close().closeAllConnections());
    await once(server, 'listening');
    const driver = open(`consul://127.0.0.1:${(server.address() as AddressInfo).port}/c`);
    await expect(driver.read('svc', undefined, signal)).rejects.toThrow(problem);
  });

  it('is never asked with an index that is no number from 1 on, or of a connection before', async () => {
    const asked: string[] = [];
    let index = '0';
    const server = createServer((request, response) => {
      asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('index') ?? 'none');
      response.setHeader('x-consul-index', index).end('[{"Key":"c/svc","Value":"YTogMQ==","ModifyIndex":3}]');
    });
    server.listen(0, '127.0.0.1');
    ending(server, () => server.close().closeAllConnections());
    await once(server, 'listening');
    const driver = open(`consul://127.0.0.1:${(server.address() as AddressInfo).port}/c`, { maxWaitMs: 60 });
    let { cursor } = await driver.read('svc', undefined, signal);
    await driver.read('svc', cursor, signal);
    expect(new Set(asked)).toEqual(new Set(['none']));
    index = '41';
    ({ cursor } = await driver.read('svc', undefined, signal));
    asked.length = 0;
    await driver.read('svc', cursor, signal);
    expect(asked[0]).toBe('41');
    server.closeAllConnections();
    await eventually(async () => {
      asked.length = 0;
      await driver.read('svc', cursor, signal);
      return asked[0] === 'none';
    });
  });
});

describe.skipIf(skip)('a Consul agent with access control', { timeout: 30_000 }, () => {
  const token = '5f1d7a90-6b3c-4c1e-9a53-000000000001';
  const reader = '5f1d7a90-6b3c-4c1e-9a53-000000000002';
  const blind = '5f1d7a90-6b3c-4c1e-9a53-000000000003';

  const guarded = async () => {
    const agent = await start({
      config: { acl: { enabled: true, default_policy: 'deny', tokens: { master: token, agent: token } } },
    });
    const acl = async (path: string, body: object) => {
      const init = { method: 'PUT', body: JSON.stringify(body), headers: { 'x-consul-token': token } };
      const response = await fetch(`http://${agent.address}/v1/acl/${path}`, init);
      if (!response.ok) throw new Error(await response.text());
    };
    await eventually(() =>
      acl('policy', { Name: 'read', Rules: 'key_prefix "c/" { policy = "read" }' }).then(() => true),
    );
    await acl('token', { SecretID: reader, Policies: [{ Name: 'read' }] });
    await acl('token', { SecretID: blind });
    return agent;
  };

  it('is used with a token from the URL or from outside, and says what a token may not', async () => {
    const agent = await guarded();
    for (const driver of [
      open(`consul://${token}@${agent.address}/c`),
      open(`${agent.url}/c?token=${token}`),
      open(`${agent.url}/c`, {}, token),
    ]) {
      const { cursor } = await driver.read('svc', undefined, signal);
      expect(await driver.write('svc', new Map([['', 'n: 1']]), cursor, signal)).toBe(true);
      expect(driver.name).toBe(`consul at ${agent.address}`);
    }
    const mayRead = open(`consul://${reader}@${agent.address}/c`);
    const { cursor, entries } = await mayRead.read('svc', undefined, signal);
    expect(entries.get('')).toBe('n: 1');
    const secret = 'not-the-right-token';
    const problems = await Promise.all(
      [
        mayRead.write('svc', new Map([['', 'n: 2']]), cursor, signal),
        open(`consul://${blind}@${agent.address}/c`).read('svc', undefined, signal),
        open(`${agent.url}/c`).read('svc', undefined, signal),
        open(`consul://${secret}@${agent.address}/c`).read('svc', undefined, signal),
      ].map((verb) => verb.then(String, (error: unknown) => error as Error)),
    );
    for (const problem of problems)
      expect(problem).toMatchObject({ message: expect.stringMatching(/answered 403: .*\.$/) as unknown });
    const shown = inspect(problems, { depth: 10, showHidden: true });
    for (const one of [token, reader, blind, secret]) expect(shown).not.toContain(one);
  });
});

describe.skipIf(skip)('a Consul agent behind TLS', { timeout: 30_000 }, () => {
  it('is trusted by the authority that the URL names, and by no other', async () => {
    const folder = ending(mkdtempSync(join(tmpdir(), 'holdfast-tls-')), (path) => rmSync(path, { recursive: true }));
    const consul = (...args: string[]) => execFileSync(requireBinary('consul'), ['tls', ...args], { cwd: folder });
    consul('ca', 'create');
    consul('cert', 'create', '-server');
    const [cert, key] = ['', '-key'].map((kind) => readFileSync(join(folder, `dc1-server-consul-0${kind}.pem`)));
    const agent = await start();
    await put(agent.address, 'c/svc', 'n: 1');
    const proxy = ending(await Proxy.to(agent.address, { cert: cert!, key: key! }), (one) => one.cut());
    const url = `consul+tls://${proxy.address}/c`;
    const follower = follow(open(`${url}?ca=${join(folder, 'consul-agent-ca.pem')}`));
    await shows(follower, 1);
    await put(agent.address, 'c/svc', 'n: 2');
    await shows(follower, 2, 1_000);
    await expect(open(url).read('svc', undefined, signal)).rejects.toThrow(
      /cannot be reached \([A-Z_]*(CERT|VERIFY)[A-Z_]*\)\.$/,
    );
  });
});
