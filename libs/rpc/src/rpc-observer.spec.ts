import { CallContext, Cell, Code, seededRandom, ServiceError, type TraceContext } from '@holdfast/core';
import type { Instance, ServiceView } from '@holdfast/discovery';
import { eventually, FakeClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GrpcJsServer } from './grpc-js/grpc-js-server.js';
import { GrpcJsTransport } from './grpc-js/grpc-js-transport.js';
import { H2Server } from './h2/server/h2-server.js';
import type { RpcMethod } from './method.js';
import type { RpcServerOptions } from './server/rpc-server.js';
import { Target } from './target.js';
import { echo, EchoServer, expand } from './testing/echo-server.js';
import { lost, ScriptedTransport } from './testing/scripted-transport.js';
import type { Link } from './transport.js';

const trace = (id: string): TraceContext => ({ traceparent: `00-${id.repeat(32)}-${'1'.repeat(16)}-01` });
const codeName = (code: number) => Object.entries(Code).find(([, value]) => value === code)![0];
const user = (port: number): Instance => ({ id: `users-${port}`, service: 'users', host: '127.0.0.1', port, protocol: 'grpc' }); // prettier-ignore
const method = (over = {}) => ({ path: '/users.Users/Get', idempotent: true, requestStream: false, ...over }) as RpcMethod<string, string>; // prettier-ignore
async function* answers() {
  yield 'one';
  yield 'two';
}

describe('what observes the calls of a target', () => {
  const get = method();
  let clock: FakeClock;
  let transport: ScriptedTransport;
  let instances: Cell<readonly Instance[]>;
  let told: string[];
  let asked: string[];
  let target: Target;

  beforeEach(() => {
    clock = new FakeClock();
    transport = new ScriptedTransport();
    instances = new Cell<readonly Instance[]>([user(1), user(2)]);
    told = [];
    asked = [];
    const view = { service: 'users', instances, held: [], origin: 'registry' } as unknown as ServiceView;
    target = new Target('users', {
      view,
      transport,
      balancer: new Cell('round_robin' as const),
      clock,
      random: seededRandom(1),
      observe: (path, name) => {
        asked.push(`${name} ${path}`);
        let spans = 0;
        return {
          begin: (parent, peer) => {
            told.push(`begin ${peer} under ${parent?.traceparent.slice(3, 4)}`);
            return trace(String(spans++));
          },
          end: (code, ms, span) => told.push(`end ${codeName(code)} ${ms} of ${span?.traceparent.slice(3, 4)}`),
          called: (code, ms) => told.push(`called ${codeName(code)} ${ms}`),
        };
      },
    });
  });

  const ask = (options = {}) =>
    CallContext.run(new CallContext({ trace: trace('a') }), () => target.unary(get, 'alice', options));

  it('is asked for once, and told of an attempt and of the call; the peer gets the attempt’s trace', async () => {
    transport.to(1).answer = transport.to(2).answer = async () => clock.advance(7);
    await ask();
    await ask();
    expect(asked).toEqual(['users /users.Users/Get']);
    expect(told.map((line) => line.replace(/:\d /, ': '))).toEqual([
      'begin 127.0.0.1: under a',
      'end OK 7 of 0',
      'called OK 7',
      'begin 127.0.0.1: under a',
      'end OK 7 of 1',
      'called OK 7',
    ]);
    const sent = transport.links.flatMap(({ calls }) => calls.map(({ metadata }) => metadata['traceparent']));
    expect(sent.toSorted()).toEqual([trace('0').traceparent, trace('1').traceparent]);
  });

  it('is told of each attempt where the first peer is lost, and the trace of the move', async () => {
    const notes: string[] = [];
    for (const link of transport.links) link.answer = lost('maybe');
    const noted = { ...trace('a'), note: (event: string) => notes.push(event) };
    const answer = CallContext.run(new CallContext({ trace: noted }), () => target.unary(get, 'alice', {}));
    await expect(answer).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    expect(told.filter((line) => line.startsWith('end'))).toEqual(['end UNAVAILABLE 0 of 0', 'end UNAVAILABLE 0 of 1', 'end UNAVAILABLE 0 of 2']); // prettier-ignore
    expect(told.filter((line) => line.startsWith('called'))).toEqual(['called UNAVAILABLE 0']);
    expect(notes).toEqual(['moved', 'moved']);
  });

  it('is told of a call that found nobody to ask, and of what the service answered', async () => {
    transport.to(1).answer = transport.to(2).answer = () => {
      throw new ServiceError(Code.NOT_FOUND, 'no such user');
    };
    await ask().catch(() => undefined);
    instances.set([]);
    await ask().catch(() => undefined);
    expect(told.slice(1)).toEqual(['end NOT_FOUND 0 of 0', 'called NOT_FOUND 0', 'called UNAVAILABLE 0']);
  });

  it('is told of the end of a stream once: by its own end, or by a consumer who leaves', async () => {
    const many = method({ responseStream: true });
    transport.to(1).answer = transport.to(2).answer = answers;
    for await (const _ of target.stream(many, ['alice'], {}));
    for await (const _ of target.stream(many, ['alice'], {})) break;
    expect(told.filter((line) => !line.startsWith('begin'))).toEqual([
      'end OK 0 of 0',
      'called OK 0',
      'end CANCELLED 0 of 1',
      'called CANCELLED 0',
    ]);
  });

  it('changes nothing where nobody observes', async () => {
    const view = { service: 'users', instances, held: [], origin: 'registry' } as unknown as ServiceView;
    const balancer = new Cell('round_robin' as const);
    const plain = new Target('users', { view, transport, balancer, clock, random: seededRandom(1) });
    await CallContext.run(new CallContext({ trace: trace('a') }), () => plain.unary(get, 'alice', {}));
    const { metadata } = transport.links.flatMap(({ calls }) => calls).at(-1)!;
    expect(metadata['traceparent']).toBe(trace('a').traceparent);
  });
});

describe.each([
  { name: 'grpc-js', open: (options: RpcServerOptions) => new GrpcJsServer(options) },
  { name: 'h2', open: (options: RpcServerOptions) => new H2Server(options) },
])('what observes the calls of a server over $name', ({ open }) => {
  let server: EchoServer;
  let link: Link;
  let told: string[];

  beforeEach(async () => {
    told = [];
    const observe = (path: string) => ({
      begin: () => trace('5'),
      end: (code: number) => told.push(`${path} ${codeName(code)} in ${CallContext.current()?.trace?.traceparent[3]}`),
    });
    server = await EchoServer.start(open, { observe });
    link = new GrpcJsTransport().connect(server.address);
  });
  afterEach(async () => {
    link.close();
    await server.server.drain(0);
  });

  const call = { metadata: {}, deadline: Infinity };
  const path = '/holdfast.testing.v1.EchoService';

  it('is told of each once it is over, with its status, and the work sees the span', async () => {
    const seen: unknown[] = [];
    server.does({ echo: (request) => (seen.push(CallContext.current()?.trace), request) });
    await link.unary(echo, { text: 'a', payload: new Uint8Array() } as never, call);
    server.does({ echo: () => Promise.reject(new ServiceError(Code.NOT_FOUND, 'none')) });
    await link.unary(echo, { text: 'a', payload: new Uint8Array() } as never, call).catch(() => undefined);
    server.does({ echo: () => Promise.reject(new ServiceError(Code.ABORTED, 'conflict')) });
    await link.unary(echo, { text: 'a', payload: new Uint8Array() } as never, call).catch(() => undefined);
    expect(seen).toEqual([trace('5')]);
    expect(told).toEqual([`${path}/Echo OK in 5`, `${path}/Echo NOT_FOUND in 5`, `${path}/Echo ABORTED in 5`]);
  });

  it('is told of a stream when it is over, and of one that its caller leaves as cancelled', async () => {
    const requests = [{ count: 3, size: 1 }] as never[];
    for await (const _ of link.stream(expand, requests, call));
    await eventually(() => expect(told).toEqual([`${path}/Expand OK in 5`]));
    const endless = [{ count: 1_000_000, size: 1_000 }] as never[];
    for await (const _ of link.stream(expand, endless, call)) break;
    await eventually(() => expect(told).toEqual([`${path}/Expand OK in 5`, `${path}/Expand CANCELLED in 5`]));
  });
});
