import {
  CallContext,
  Cancelled,
  Cell,
  Code,
  DeadlineExceeded,
  NoInstances,
  seededRandom,
  ServiceError,
} from '@holdfast/core';
import type { Instance, ServiceView } from '@holdfast/discovery';
import { FakeClock, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RpcMethod } from './method.js';
import type { BalancerName } from './balancer/picker.js';
import { Target } from './target.js';
import { LinkFailure, type OutgoingCall } from './transport.js';
import { lost, ScriptedTransport } from './testing/scripted-transport.js';

const user = (n: number): Instance => ({
  id: `users-${n}`,
  service: 'users',
  host: '127.0.0.1',
  port: n,
  protocol: 'grpc',
});
const method = (idempotent: boolean) => ({ idempotent, requestStream: false }) as RpcMethod<string, string>;
const get = method(true);
const create = method(false);

/** Never answers; ends with its call's signal. */
const hang = (_request: unknown, { signal }: OutgoingCall) =>
  new Promise((_resolve, reject) => {
    signal!.addEventListener('abort', { handleEvent: () => reject(signal!.reason as Error) });
  });

describe('Target', () => {
  let clock: FakeClock;
  let transport: ScriptedTransport;
  let instances: Cell<readonly Instance[]>;
  let balancer: Cell<BalancerName>;
  let maxPeers: Cell<number>;
  let origin: ServiceView['origin'];
  let target: Target;

  const open = () => {
    const view = { service: 'users', instances, held: [], get origin() { return origin; } } as unknown as ServiceView; // prettier-ignore
    return new Target('users', { view, transport, balancer, maxPeers, clock, random: seededRandom(1) });
  };
  const ask = (options = {}) => target.unary(get, 'alice', options);

  beforeEach(() => {
    clock = new FakeClock();
    transport = new ScriptedTransport();
    instances = new Cell<readonly Instance[]>([user(1), user(2), user(3)]);
    balancer = new Cell<BalancerName>('round_robin');
    maxPeers = new Cell(100);
    origin = 'registry';
    target = open();
  });

  it('connects to every peer before the first call, and asks them in turn', async () => {
    expect(transport.links.map(({ state }) => state.value)).toEqual(['ready', 'ready', 'ready']);
    const answers = [];
    for (let call = 0; call < 6; call++) answers.push(await ask());
    expect(answers.slice(0, 3).toSorted()).toEqual(['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']);
    expect(answers.slice(3)).toEqual(answers.slice(0, 3));
  });

  it('changes only the peers that an update names, and lets the calls on a leaver end', async () => {
    const kept = transport.to(1);
    instances.set([user(1), user(3), user(4)]);
    expect(transport.to(1)).toBe(kept);
    expect(transport.links).toHaveLength(4);
    expect(transport.to(2).drained).toBe(true);
    const answers = new Set([await ask(), await ask(), await ask()]);
    expect(answers).toEqual(new Set(['127.0.0.1:1', '127.0.0.1:3', '127.0.0.1:4']));
  });

  it('skips a peer from the moment its connection is lost until it is back', async () => {
    transport.to(2).state.set('failing');
    for (let call = 0; call < 9; call++) expect(await ask()).not.toBe('127.0.0.1:2');
    transport.to(2).state.set('ready');
    expect(new Set([await ask(), await ask(), await ask()]).size).toBe(3);
  });

  it('follows a change of the balancer without touching a connection', async () => {
    balancer.set('least_request');
    transport.to(1).answer = () => new Promise(() => undefined);
    transport.to(3).answer = () => new Promise(() => undefined);
    for (let call = 0; call < 30; call++) {
      void ask();
      await settle();
    }
    expect(transport.links).toHaveLength(3);
    const [one, two, three] = target.peers.map(({ picks }) => picks) as [number, number, number];
    expect(two).toBeGreaterThan(one);
    expect(two).toBeGreaterThan(three);
    expect(Math.abs(one - three)).toBeLessThanOrEqual(3);
  });

  describe('when a peer is lost during a call', () => {
    beforeEach(() => void (transport.to(2).answer = lost('maybe')));

    it('an idempotent call goes elsewhere, never to the same again', async () => {
      for (let call = 0; call < 9; call++) expect(await ask()).not.toBe('127.0.0.1:2');
      const retried = transport.links
        .flatMap(({ calls }) => calls)
        .filter(({ metadata }) => metadata['grpc-previous-rpc-attempts']);
      expect(retried).toHaveLength(transport.to(2).calls.length);
      expect(target.peers.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    });

    it('a call that is not idempotent fails, and is not sent again', async () => {
      const calls = await Promise.allSettled(Array.from({ length: 9 }, () => target.unary(create, 'alice', {})));
      expect(calls.filter(({ status }) => status === 'rejected')).toHaveLength(3);
      expect(transport.links.flatMap((link) => link.calls)).toHaveLength(9);
    });

    it('a call that is not idempotent goes elsewhere if the peer never acted on it', async () => {
      transport.to(2).answer = lost('never');
      const calls = await Promise.allSettled(Array.from({ length: 9 }, () => target.unary(create, 'alice', {})));
      expect(calls.filter(({ status }) => status === 'rejected')).toEqual([]);
    });

    it('stands back under a layer that retries by itself', async () => {
      const context = new CallContext({ retriesOwned: true });
      const calls = await Promise.allSettled(Array.from({ length: 9 }, () => CallContext.run(context, () => ask())));
      expect(calls.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    });

    it('gives up after three attempts', async () => {
      instances.set([1, 2, 3, 4, 5].map(user));
      for (const link of transport.links) link.answer = lost('maybe');
      await expect(ask()).rejects.toBeInstanceOf(LinkFailure);
      expect(transport.links.flatMap(({ calls }) => calls)).toHaveLength(3);
    });

    it('spends at most a fifth more than the requests, and ten a second, on further attempts', async () => {
      for (const link of transport.links) link.answer = lost('maybe');
      for (let call = 0; call < 10_000; call++) {
        await ask().catch(() => undefined);
        if (call % 10 === 0) await clock.advance(10);
      }
      const attempts = transport.links.flatMap(({ calls }) => calls).length;
      // 10,000 calls in 10 s: a fifth of them, 10 a second, and what 10 s of the floor had saved up.
      expect(attempts).toBeLessThanOrEqual(10_000 + 2_000 + 100 + 100 + 1);
      expect(attempts).toBeGreaterThan(11_000);
    });
  });

  it('leaves what a peer answered to the caller', async () => {
    const refusal = new ServiceError(Code.UNAVAILABLE, 'in maintenance');
    for (const link of transport.links) link.answer = () => { throw refusal; }; // prettier-ignore
    await expect(ask()).rejects.toBe(refusal);
    expect(transport.links.flatMap(({ calls }) => calls)).toHaveLength(1);
  });

  describe('deadlines', () => {
    const sent = () => transport.links.flatMap(({ calls }) => calls)[0]!;

    it('are the earlier of the call’s and the context’s', async () => {
      await CallContext.run(new CallContext({ deadline: 300 }), () => ask({ timeoutMs: 1_000 }));
      expect(sent().deadline).toBe(300);
      target = open();
      await CallContext.run(new CallContext({ deadline: 9_000 }), () => ask({ timeoutMs: 1_000 }));
      expect(transport.links.flatMap(({ calls }) => calls)[1]!.deadline).toBe(1_000);
    });

    it('let no attempt start once they have passed', async () => {
      for (const link of transport.links) link.answer = async (_request, call) => { await clock.advance(400); return lost('never')(_request, call); }; // prettier-ignore
      await expect(ask({ timeoutMs: 300 })).rejects.toBeInstanceOf(LinkFailure);
      expect(transport.links.flatMap(({ calls }) => calls)).toHaveLength(1);
      await clock.advance(1_000);
      const late = new CallContext({ deadline: clock.now() - 1 });
      for (const link of transport.links) link.state.set('failing');
      await expect(CallContext.run(late, () => ask())).rejects.toBeInstanceOf(DeadlineExceeded);
    });

    it('carry trace, request id and signal along', async () => {
      const controller = new AbortController();
      const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' };
      await CallContext.run(new CallContext({ signal: controller.signal, requestId: 'r1', trace }), () => ask());
      expect(sent().signal).toBe(controller.signal);
      expect(sent().metadata).toEqual({ 'x-request-id': 'r1', ...trace });
    });
  });

  describe('without a ready peer', () => {
    it('waits for one that is connecting', async () => {
      transport.connectsAtOnce = false;
      target = open();
      const answer = ask({ timeoutMs: 5_000 });
      await clock.advance(500);
      transport.to(2).state.set('ready');
      expect(await answer).toBe('127.0.0.1:2');
      expect(clock.pending).toBe(0);
    });

    it('fails at once where all have failed', async () => {
      for (const link of transport.links) link.state.set('failing');
      await expect(ask()).rejects.toBeInstanceOf(NoInstances);
    });

    it('fails at once where the registry says that there is none', async () => {
      instances.set([]);
      await expect(ask()).rejects.toThrow('No instance of users is available.');
    });

    it('waits for the first view, a second at most', async () => {
      instances.set([]);
      origin = 'none';
      const failed = expect(ask()).rejects.toBeInstanceOf(NoInstances);
      await clock.advance(1_001);
      await failed;
      const answer = ask();
      await clock.advance(100);
      instances.set([user(7)]);
      expect(await answer).toBe('127.0.0.1:7');
    });

    it('ends the wait when the caller goes away', async () => {
      transport.connectsAtOnce = false;
      target = open();
      const controller = new AbortController();
      const failed = expect(ask({ signal: controller.signal })).rejects.toMatchObject({
        code: Code.CANCELLED,
        cause: new Error('gone'),
      });
      controller.abort(new Error('gone'));
      await failed;
      expect(clock.pending).toBe(0);
    });
  });

  describe('an instance that fails', () => {
    const failing = (n: number, code: Code = Code.INTERNAL) => {
      transport.to(n).answer = () => {
        throw new ServiceError(code, 'broken');
      };
    };
    const askOften = async (calls: number, options = {}) => {
      for (let call = 0; call < calls; call++) await ask(options).catch(() => undefined);
    };
    const stateOf = (n: number) => target.states().find(({ address }) => address.endsWith(`:${n}`))!;

    it('is ejected, asked for its health over its own connection, and taken back with few calls at first', async () => {
      await clock.advance(60_000);
      failing(2);
      await askOften(30);
      expect(stateOf(2)).toMatchObject({ state: 'ejected', why: '5 failures in a row', picks: 5 });
      expect(stateOf(2).since).toBe(clock.wallTime());
      transport.to(2).answer = () => 'well again';
      await clock.advance(1_000);
      expect(transport.to(2).checks).toBe(1);
      expect(stateOf(2)).toMatchObject({ state: 'warming', why: 'back from an ejection', picks: 5 });
      await clock.advance(10_000);
      expect(stateOf(2).state).toBe('ready');
      await askOften(30);
      expect(stateOf(2).picks).toBe(15);
      expect(clock.pending).toBe(0);
    });

    it('stays out while it says that it is not well', async () => {
      failing(2);
      await askOften(30);
      transport.to(2).health.set('failing');
      await clock.advance(30_000);
      expect(transport.to(2).checks).toBeGreaterThan(2);
      expect(transport.to(2).checks).toBeLessThan(8);
      expect(stateOf(2)).toMatchObject({ state: 'ejected', picks: 5 });
    });

    it('gets no call from the moment that it says it does not serve, until it says that it does', async () => {
      await clock.advance(60_000);
      transport.to(2).health.set('failing');
      await settle();
      expect(stateOf(2)).toMatchObject({ state: 'ejected', why: 'it says that it does not serve' });
      await askOften(10);
      expect(stateOf(2).picks).toBe(0);
      transport.to(2).health.set('serving');
      await settle();
      expect(stateOf(2).state).toBe('warming');
      expect(transport.to(2).checks).toBe(0);
    });

    it('is left where it is while its health service knows nothing of it', async () => {
      transport.to(2).health.set('unknown');
      await settle();
      expect(stateOf(2).state).toBe('ready');
    });

    it('is not taken back for its word after what it did to calls', async () => {
      failing(2);
      await askOften(30);
      transport.to(2).health.set('failing');
      transport.to(2).health.set('serving');
      await settle();
      expect(stateOf(2)).toMatchObject({ state: 'ejected', why: '5 failures in a row' });
    });

    it('is tried all the same where all say that they do not serve', async () => {
      for (const n of [1, 2, 3]) transport.to(n).health.set('failing');
      await settle();
      expect(target.panic).toBe(true);
      const answers = new Set<string>();
      for (let call = 0; call < 9; call++) answers.add(await ask());
      expect(answers.size).toBeGreaterThan(1);
    });

    it('is watched over one stream for each connection, and no longer than that', async () => {
      const link = transport.to(2);
      await settle();
      expect(link.watches).toBe(1);
      link.state.set('failing');
      await settle();
      expect(link.watches).toBe(0);
      link.state.set('ready');
      await settle();
      expect(link.watches).toBe(1);
      instances.set([user(1), user(3)]);
      await settle();
      expect(link.watches).toBe(0);
      target.close();
      await settle();
      expect(transport.to(1).watches).toBe(0);
    });

    it('without a health service is tried by one idempotent call', async () => {
      failing(2);
      transport.to(2).health.set(undefined);
      await askOften(30);
      await clock.advance(1_000);
      expect(stateOf(2).state).toBe('probing');
      for (let call = 0; call < 5; call++) await target.unary(create, 'alice', {});
      expect(stateOf(2).picks).toBe(5);
      await askOften(20);
      expect(stateOf(2)).toMatchObject({ state: 'ejected', picks: 6 });
      transport.to(2).answer = () => 'well again';
      await clock.advance(2_000);
      await askOften(1);
      expect(stateOf(2)).toMatchObject({ picks: 7, why: 'back from an ejection' });
    });

    it.each([
      [Code.UNAVAILABLE, 'ejected'],
      [Code.UNKNOWN, 'ejected'],
      [Code.DEADLINE_EXCEEDED, 'ejected'],
      [Code.RESOURCE_EXHAUSTED, 'ready'],
      [Code.NOT_FOUND, 'ready'],
      [Code.FAILED_PRECONDITION, 'ready'],
      [Code.CANCELLED, 'ready'],
    ] as const)('with code %i is %s', async (code, state) => {
      failing(2, code);
      await askOften(60);
      expect(stateOf(2).state).toBe(state);
    });

    it('is not blamed for what its callers cancelled, and is for attempts that ran out of time', async () => {
      transport.to(2).answer = hang;
      const abortedWith = async (reason: Error) => {
        for (let call = 0; call < 12; call++) {
          const controller = new AbortController();
          const asked = ask({ signal: controller.signal }).catch(() => undefined);
          await clock.advance(20);
          controller.abort(reason);
          await asked;
        }
      };
      await abortedWith(new Cancelled('gone'));
      expect(stateOf(2).state).toBe('ready');
      await abortedWith(new DeadlineExceeded('too late'));
      expect(stateOf(2)).toMatchObject({ state: 'ejected', why: '2 time-outs in a row' });
    });

    it('does not clear its name by leaving and coming back, but another process at its address has none to clear', async () => {
      failing(2);
      await askOften(30);
      instances.set([user(1), user(3)]);
      await clock.advance(5_000);
      instances.set([user(1), user(2), user(3)]);
      expect(stateOf(2)).toMatchObject({ state: 'warming', why: 'back from an ejection' });
      failing(2);
      await clock.advance(9_000);
      await askOften(30);
      expect(stateOf(2)).toMatchObject({ state: 'ejected', why: 'failed again on its return', picks: 1 });
      instances.set([user(1), { ...user(2), id: 'another' }, user(3)]);
      expect(stateOf(2)).toMatchObject({ state: 'warming', why: undefined });
    });

    it('is judged afresh where another process has come to its address after it left', async () => {
      failing(2);
      await askOften(30);
      instances.set([user(1), user(3)]);
      await clock.advance(5_000);
      instances.set([user(1), { ...user(2), id: 'another' }, user(3)]);
      expect(stateOf(2).why).toBeUndefined();
    });

    it('leaves nothing scheduled when the target closes', async () => {
      failing(2);
      await askOften(30);
      expect(clock.pending).toBe(1);
      target.close();
      expect(clock.pending).toBe(0);
    });
  });

  it('sends the calls of one hash key to one instance, and connects to all for it', async () => {
    balancer.set('consistent_hash');
    const byKey = (hashKey: string) => CallContext.run(new CallContext({ hashKey }), () => ask());
    const homes: string[] = [];
    for (let n = 0; n < 30; n++) homes.push(await byKey(`user-${n}`));
    for (const [n, home] of homes.entries()) expect(await byKey(`user-${n}`)).toBe(home);
    expect(new Set(homes).size).toBe(3);
  });

  it('connects to a part of a large fleet, the same one whatever comes and goes, and to all of it for consistent_hash', () => {
    instances.set(Array.from({ length: 300 }, (_, n) => user(n + 1)));
    const before = new Set(target.peers.map(({ address }) => address));
    expect(before.size).toBe(100);
    const [gone] = target.peers;
    instances.set(instances.value.filter(({ port }) => !gone!.address.endsWith(`:${port}`)));
    const after = target.peers.map(({ address }) => address);
    expect(after).toHaveLength(100);
    expect(after.filter((address) => !before.has(address))).toHaveLength(1);
    balancer.set('consistent_hash');
    expect(target.peers).toHaveLength(299);
    balancer.set('p2c_ewma');
    maxPeers.set(20);
    expect(target.peers).toHaveLength(20);
  });

  describe('streams', () => {
    const list = async () => {
      const messages: unknown[] = [];
      for await (const message of target.stream(get, ['all'], {})) messages.push(message);
      return messages;
    };

    it('go elsewhere before the first message', async () => {
      for (const link of transport.links) link.answer = async function* () { yield link.address; }; // prettier-ignore
      transport.to(2).answer = lost('maybe');
      for (let call = 0; call < 6; call++) expect(await list()).toHaveLength(1);
      expect(target.peers.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    });

    it('fail after it, so that nobody sees the start twice', async () => {
      for (const link of transport.links) {
        link.answer = async function* () {
          yield link.address;
          throw new LinkFailure('connection reset', 'maybe');
        };
      }
      const seen: unknown[] = [];
      const reading = (async () => {
        for await (const message of target.stream(get, ['all'], {})) seen.push(message);
      })();
      await expect(reading).rejects.toBeInstanceOf(LinkFailure);
      expect(seen).toHaveLength(1);
    });

    it('count as in flight until the consumer leaves', async () => {
      for (const link of transport.links) link.answer = async function* () { for (;;) yield link.address; }; // prettier-ignore
      for await (const _ of target.stream(get, ['all'], {})) {
        expect(target.peers.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(1);
        break;
      }
      expect(target.peers.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    });
  });
});
