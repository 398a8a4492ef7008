import { Cell, Code, Journal, seededRandom } from '@holdfast/core';
import type { Instance, ServiceView } from '@holdfast/discovery';
import { FakeClock, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BalancerName } from './balancer/picker.js';
import type { RpcMethod } from './method.js';
import { Target } from './target.js';
import { LinkFailure } from './transport.js';
import { lost, ScriptedTransport } from './testing/scripted-transport.js';

const user = (n: number, id = `users-${n}`): Instance => ({
  id,
  service: 'users',
  host: '127.0.0.1',
  port: n,
  protocol: 'grpc',
});
const at = (n: number) => `127.0.0.1:${n}`;
const get = { idempotent: true, requestStream: false } as RpcMethod<string, string>;

describe('what an operator does to a target, and is told of it', () => {
  let clock: FakeClock;
  let transport: ScriptedTransport;
  let instances: Cell<readonly Instance[]>;
  let journal: Journal;
  let target: Target;

  const answers = async (count = 12) => {
    const seen = new Set<string>();
    for (let call = 0; call < count; call++) seen.add(await target.unary(get, 'alice', {}));
    return [...seen].sort();
  };
  const stateOf = (n: number) => target.states().find(({ address }) => address === at(n))?.state;
  const told = () => journal.recent().map(({ subject, what, why }) => [subject, what, ...(why ? [why] : [])].join(' '));

  beforeEach(() => {
    clock = new FakeClock();
    transport = new ScriptedTransport();
    instances = new Cell<readonly Instance[]>([user(1), user(2), user(3)]);
    journal = new Journal({ clock });
    const view = { service: 'users', instances, held: [], origin: 'registry' } as unknown as ServiceView;
    const balancer = new Cell<BalancerName>('round_robin');
    target = new Target('users', { view, transport, balancer, clock, random: seededRandom(1), journal });
  });

  it('a drained instance gets no call until it is undrained, and keeps its connection', async () => {
    target.drain(at(2));
    expect(await answers()).toEqual([at(1), at(3)]);
    expect(stateOf(2)).toBe('drained');
    expect(transport.to(2).drained).toBe(false);
    expect(target.connected.value).toBe(2);
    target.drain(at(2), false);
    expect(await answers()).toEqual([at(1), at(2), at(3)]);
    expect(stateOf(2)).not.toBe('drained');
  });

  it('a drained one is no reserve for ejection: of the others, the last is never ejected', async () => {
    target.drain(at(2));
    for (const n of [1, 3]) transport.to(n).answer = lost('never');
    for (let call = 0; call < 30; call++) await target.unary(get, 'alice', {}).catch(() => undefined);
    expect(target.panic).toBe(true);
    await expect(target.unary(get, 'alice', {})).rejects.toBeInstanceOf(LinkFailure);
    expect(transport.to(2).calls).toEqual([]);
  });

  it('the last that takes calls cannot be drained, nor one that is not there', () => {
    target.drain(at(1));
    transport.to(2).state.set('failing');
    expect(() => target.drain(at(3))).toThrow(expect.objectContaining({ code: Code.FAILED_PRECONDITION }) as Error);
    expect(() => target.drain(at(9))).toThrow(expect.objectContaining({ code: Code.NOT_FOUND }) as Error);
  });

  it('stays drained while the registry forgets it for a while, and not where another process has its address', async () => {
    target.drain(at(2));
    instances.set([user(1), user(3)]);
    instances.set([user(1), user(2), user(3)]);
    expect(stateOf(2)).toBe('drained');
    expect(await answers()).toEqual([at(1), at(3)]);
    instances.set([user(1), user(2, 'users-new'), user(3)]);
    expect(stateOf(2)).not.toBe('drained');
    expect(await answers()).toContain(at(2));
  });

  it('one that loses its connection while it is drained does not come back by it', async () => {
    target.drain(at(2));
    transport.to(2).state.set('failing');
    transport.to(2).state.set('ready');
    expect(await answers()).toEqual([at(1), at(3)]);
  });

  it('notes who comes and goes, loses its connection and has it back', () => {
    expect(told()).toEqual([1, 2, 3].map((n) => `users-${n} joined at ${at(n)}`));
    transport.to(2).state.set('failing');
    transport.to(2).state.set('connecting');
    transport.to(2).state.set('ready');
    instances.set([user(1), user(3, 'users-new')]);
    expect(told().slice(3)).toEqual([
      'users-2 lost its connection',
      'users-2 is connected again',
      `users-new has taken over ${at(3)}`,
      `users-2 left ${at(2)}`,
    ]);
  });

  it('notes who is ejected, and why, and who is let back', async () => {
    transport.to(2).answer = lost('never');
    for (let call = 0; call < 30; call++) await target.unary(get, 'alice', {});
    expect(told().slice(3)).toEqual(['users-2 was ejected 5 failures in a row']);
    transport.to(2).answer = () => at(2);
    await clock.advance(2_000);
    await settle();
    expect(told().slice(4)).toEqual(['users-2 takes calls again']);
    target.close();
  });
});
