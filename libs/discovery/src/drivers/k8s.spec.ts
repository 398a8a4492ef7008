import { seededRandom, StartupError } from '@holdfast/core';
import { eventually, FakeClock, FakeKubernetesApi, type FakeEndpoint } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../driver.js';
import { openRegistry } from '../registry-url.js';
import { holds } from '../testing/contract-watch.js';
import { describeRegistryDriver } from '../testing/driver-contract.js';
import { fromSlices, type EndpointSlice } from './k8s-slices.js';
import { KubernetesDriver } from './k8s.js';

const never = () => new AbortController().signal;
const pod = (number: number, changes: Partial<FakeEndpoint> = {}): FakeEndpoint => ({
  pod: `users-${number}`,
  host: `127.0.0.${number}`,
  port: 50051,
  ...changes,
});
const pods = ({ instances }: Answer) => instances.map(({ id }) => id);
const open = (api: FakeKubernetesApi, options: { maxWaitMs?: number } = {}) =>
  new KubernetesDriver({ server: api.server, account: api.account, namespace: undefined }, options);

describeRegistryDriver('k8s', { readOnly: true, unreachableWithinMs: 6_000 }, async () => {
  const api = await FakeKubernetesApi.start();
  return {
    open: (options) => Promise.resolve(open(api, options)),
    breakOff: () => api.stop(),
    dispose: () => api[Symbol.asyncDispose](),
  };
});

describe('the endpoints of Kubernetes as a registry', () => {
  let api: FakeKubernetesApi;
  let driver: KubernetesDriver;

  const read = (after?: string) => driver.read('users', after, never());
  const watching = () => eventually(() => api.watchers === 1);

  beforeEach(async () => {
    api = await FakeKubernetesApi.start();
    driver = open(api);
  });
  afterEach(async () => {
    await driver.close();
    await api[Symbol.asyncDispose]();
  });

  it('has the ready pods of all slices, with zones', async () => {
    api.set('users', [pod(1, { zone: 'a' }), pod(2, { ready: false })], 'users-x');
    api.set('users', [pod(3), pod(4, { terminating: true })], 'users-y');
    api.set('orders', [pod(5)]);
    expect((await read()).instances).toEqual([
      { id: 'users-1', service: 'users', host: '127.0.0.1', port: 50051, protocol: 'grpc', zone: 'a' },
      { id: 'users-3', service: 'users', host: '127.0.0.3', port: 50051, protocol: 'grpc' },
    ]);
  });

  it('sees a pod come, get ready, be ended and go, over one watch', async () => {
    let answer = await read();
    expect(pods(answer)).toEqual([]);
    const follow = async (endpoints: readonly FakeEndpoint[] | undefined, expected: readonly string[]) => {
      const next = read(answer.cursor);
      await watching();
      api.set('users', endpoints);
      answer = await next;
      expect(pods(answer)).toEqual(expected);
    };
    await follow([pod(1)], ['users-1']);
    await follow([pod(1), pod(2)], ['users-1', 'users-2']);
    await follow([pod(1, { terminating: true }), pod(2)], ['users-2']);
    await follow(undefined, []);
    expect(api.asked).toEqual({ list: 1, watch: 1 });
  });

  it('misses nothing that happens between two reads', async () => {
    api.set('users', [pod(1)]);
    const { cursor } = await read();
    api.set('users', [pod(1), pod(2)]);
    api.set('users', [pod(2)]);
    expect(pods(await holds(driver, 'users', (found) => found.length === 1 && found[0]!.id === 'users-2'))).toEqual([
      'users-2',
    ]);
    expect((await read(cursor)).cursor).not.toBe(cursor);
  });

  it('goes on from a bookmark when the server ends the watch', async () => {
    const { cursor } = await read();
    const next = read(cursor);
    await watching();
    // What the server has forgotten meanwhile was of no interest to this watch; the bookmark says so.
    api.compact();
    api.bookmark();
    api.endWatches();
    await expect.poll(() => api.asked.watch).toBe(2);
    api.set('users', [pod(1)]);
    expect(pods(await next)).toEqual(['users-1']);
    expect(api.asked.list).toBe(1);
  });

  it.each([false, true])('lists anew what the server has forgotten (410 in the answer itself: %s)', async (early) => {
    api.refusesEarly = early;
    api.set('users', [pod(1)]);
    const { cursor } = await read();
    api.set('users', [pod(2)]);
    api.compact();
    expect(pods(await read(cursor))).toEqual(['users-2']);
    expect(api.asked).toEqual({ list: 2, watch: 1 });
  });

  it('tells its reader when the watch breaks, and lists anew', async () => {
    const { cursor } = await read();
    const next = read(cursor);
    const problem = next.catch((error: unknown) => error);
    await watching();
    api.endWatches('break');
    expect(await problem).toMatchObject({
      message: expect.stringMatching(/^kubernetes at .* broke off a watch/) as unknown,
    });
    api.set('users', [pod(1)]);
    expect(pods(await read())).toEqual(['users-1']);
  });

  it('keeps its watch through a full read that says the same', async () => {
    api.set('users', [pod(1)]);
    const { cursor } = await read();
    const next = read(cursor);
    await watching();
    expect((await read()).cursor).toBe(cursor);
    api.set('users', [pod(2)]);
    expect(pods(await next)).toEqual(['users-2']);
    expect(api.asked).toEqual({ list: 2, watch: 1 });
  });

  it('reads the token anew, since Kubernetes replaces it', async () => {
    await read();
    api.token = 'second';
    await expect(read()).rejects.toThrow('answered 401: Unauthorized.');
    await api.mount();
    expect(pods(await read())).toEqual([]);
  });

  it('says what a service account lacks', async () => {
    api.allowed = false;
    await expect(read()).rejects.toThrow(
      'answered 403: endpointslices.discovery.k8s.io is forbidden; give the service account a role that may list and watch endpointslices.',
    );
  });

  it('trusts no server but the one whose authority is mounted', async () => {
    const other = await FakeKubernetesApi.start();
    const stranger = new KubernetesDriver({ server: other.server, account: api.account, namespace: 'apps' });
    await expect(stranger.read('users', undefined, never())).rejects.toThrow('cannot be reached');
    expect(other.asked.list).toBe(0);
    await stranger.close();
    await other[Symbol.asyncDispose]();
  });

  it('is right after a thousand changes, ended and broken watches and forgotten versions', async () => {
    const random = seededRandom(7);
    const truth = new Map<string, readonly FakeEndpoint[]>();
    const end = new AbortController();
    let last: readonly string[] = [];
    const follow = async () => {
      let cursor: string | undefined;
      while (!end.signal.aborted) {
        try {
          const answer = await driver.read('users', cursor, end.signal);
          cursor = answer.cursor;
          last = pods(answer);
        } catch {
          cursor = undefined;
        }
      }
    };
    const following = follow();
    for (let step = 0; step < 1_000; step++) {
      const slice = `users-${Math.floor(random() * 4)}`;
      const some = [1, 2, 3]
        .filter(() => random() < 0.5)
        .map((n) => pod(n, { pod: `${slice}-${n}`, ready: random() < 0.8 }));
      if (random() < 0.1) truth.delete(slice);
      else truth.set(slice, some);
      if (truth.has(slice) || step > 0) api.set('users', truth.get(slice) ?? [], slice);
      const chance = random();
      if (chance < 0.02) api.compact();
      else if (chance < 0.04) api.endWatches('break');
      else if (chance < 0.06) api.endWatches();
      else if (chance < 0.1) api.bookmark();
      if (step % 20 === 0) await new Promise(setImmediate);
    }
    const expected = [...truth.values()]
      .flat()
      .filter(({ ready }) => ready)
      .map((one) => one.pod)
      .toSorted();
    await expect.poll(() => last, { timeout: 2_000 }).toEqual(expected);
    end.abort();
    await following;
  });
});

const slice = (fields: Partial<EndpointSlice>): EndpointSlice => ({
  metadata: { name: 's', resourceVersion: '1' },
  addressType: 'IPv4',
  ports: [{ name: 'grpc', port: 1 }],
  ...fields,
});
const targetRef = { kind: 'Pod', name: 'p' };

describe('EndpointSlices', () => {
  it('count a pod with two addresses once, by its IPv4 address', () => {
    const six = slice({ addressType: 'IPv6', endpoints: [{ addresses: ['::2'], targetRef }] });
    const four = slice({ endpoints: [{ addresses: ['127.0.0.2'], targetRef }] });
    expect(fromSlices('users', [six, four])).toMatchObject([{ id: 'p', host: '127.0.0.2' }]);
    expect(fromSlices('users', [six])).toMatchObject([{ id: 'p', host: '::2' }]);
  });

  it('take the port that is named grpc, else the first; and know the admin port', () => {
    const endpoints = [{ addresses: ['127.0.0.2'] }];
    const ports = [
      { name: 'http', port: 80 },
      { name: 'admin', port: 9 },
      { name: 'grpc', port: 50 },
    ];
    expect(fromSlices('users', [slice({ endpoints, ports })])).toEqual([
      { id: 'users@127.0.0.2:50', service: 'users', host: '127.0.0.2', port: 50, protocol: 'grpc', adminPort: 9 },
    ]);
    expect(fromSlices('users', [slice({ endpoints, ports: ports.slice(0, 1) })])).toMatchObject([
      { port: 80, protocol: 'http' },
    ]);
    expect(fromSlices('users', [slice({ endpoints, ports: null })])).toEqual([]);
  });

  it('count no pod that is being ended, though its Service publishes it as ready', () => {
    const conditions = { ready: true, terminating: true };
    expect(fromSlices('users', [slice({ endpoints: [{ addresses: ['127.0.0.2'], conditions }] })])).toEqual([]);
  });

  it('may leave out what they do not know, and then it is as the API says', () => {
    expect(fromSlices('users', [slice({ endpoints: null }), slice({ endpoints: [{}] })])).toEqual([]);
    expect(
      fromSlices('users', [slice({ endpoints: [{ addresses: ['127.0.0.2'], conditions: { ready: null } }] })]),
    ).toHaveLength(1);
    expect(
      fromSlices('users', [slice({ addressType: 'FQDN', endpoints: [{ addresses: ['users.example'] }] })]),
    ).toEqual([]);
  });
});

describe('a Kubernetes URL', () => {
  it.each([
    ['k8s:apps', 'is not readable; write k8s: or k8s://namespace.'],
    ['k8s://Apps', 'is not readable; write k8s: or k8s://namespace.'],
    [
      'k8s://apps?server=http://127.0.0.1',
      'has a server that is not https://host:port; the account’s token goes there, and never unencrypted.',
    ],
    ['k8s:?port=1', 'has an unknown parameter "port"; use server, account.'],
  ])('%s is refused', async (url, problem) => {
    const refused = openRegistry(url, { clock: new FakeClock(), random: Math.random });
    await expect(refused).rejects.toThrow(`REGISTRY_URL "${url}" ${problem}`);
    await expect(refused).rejects.toBeInstanceOf(StartupError);
  });

  it('needs no more than its scheme in a pod', async () => {
    const driver = await openRegistry('k8s:', { clock: new FakeClock(), random: Math.random });
    expect(driver.name).toBe('kubernetes at kubernetes.default.svc');
    await expect(driver.read('users', undefined, never())).rejects.toThrow(
      '/var/run/secrets/kubernetes.io/serviceaccount/',
    );
    await driver.close();
  });
});
