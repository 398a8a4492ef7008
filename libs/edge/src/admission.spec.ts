import { EventEmitter } from 'node:events';
import { CallContext, Cell, Code, DeadlineExceeded, RateLimited, ServiceError, StartupError } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import { Admission, admittedOf } from './admission.js';
import { clientLimitSpec, edgeSpec } from './edge-spec.js';
import { IdentitySeal, type Identity } from './identity.js';
import { contextOf } from './request-context.js';
import { RequestWatch } from './request-watch.js';
import { RateLimit } from './route-limit.js';
import type { TokenVerifier } from './token-verifier.js';

const alice: Identity = { subject: 'alice', scopes: [] };

/** Takes the token `good` for alice's, and counts how often it is asked. */
class Verifier {
  asked = 0;
  readonly known = new Map<string, Identity>();

  believed(token: string) {
    return this.known.get(token);
  }

  async verify(token: string): Promise<Identity> {
    this.asked++;
    if (token !== 'good') throw new ServiceError(Code.UNAUTHENTICATED, 'The token is not valid.');
    this.known.set(token, alice);
    return alice;
  }
}

class Reply {
  readonly headers: Record<string, unknown> = {};
  readonly raw = Object.assign(new EventEmitter(), { writableFinished: false });
  header(name: string, value: unknown) {
    this.headers[name] = value;
    return this;
  }
}

let clock: FakeClock;
let verifier: Verifier;
let limit: Cell<ReturnType<typeof clientLimitSpec.parse>>;
let door: Admission;

const requestOf = (headers: Record<string, string> = {}, ip = '192.0.2.1') =>
  ({ headers, ip, routeOptions: {} }) as unknown as FastifyRequest;

async function enter(request: FastifyRequest, reply = new Reply()) {
  await door.admit(request, reply as unknown as FastifyReply);
  return { admitted: admittedOf(request)!, reply };
}

beforeEach(() => {
  clock = new FakeClock();
  verifier = new Verifier();
  limit = new Cell(clientLimitSpec.parse({ rate: 1, burst: 2 }));
  door = new Admission({ limit, verifier: verifier as unknown as TokenVerifier, clock });
});

describe('the door', () => {
  it('lets a request in at once where nothing has to be looked up', async () => {
    await enter(requestOf({ authorization: 'Bearer good' }));
    for (const headers of [{}, { authorization: 'Bearer good' }]) {
      expect(door.admit(requestOf(headers), new Reply() as unknown as FastifyReply)).toBeUndefined();
    }
    expect(verifier.asked).toBe(1);
  });

  it('drops what says on whose behalf a call is made', async () => {
    const request = requestOf({ 'x-holdfast-identity': 'mallory', 'x-other': 'stays' });
    await enter(request);
    expect(request.headers).toEqual({ 'x-other': 'stays' });
  });

  it('counts by identity where the token is good, and by address where there is none or a bad one', async () => {
    const { admitted } = await enter(requestOf({ authorization: 'Bearer good' }));
    expect(admitted).toMatchObject({ identity: alice, client: 'sub alice', refusal: undefined });
    const bad = await enter(requestOf({ authorization: 'Bearer bad' }));
    expect(bad.admitted).toMatchObject({ identity: undefined, client: '192.0.2.1' });
    expect(bad.admitted.refusal).toMatchObject({ code: Code.UNAUTHENTICATED });
    expect((await enter(requestOf({}, '2001:db8::1'))).admitted.client).toBe('2001:db8:0:0::/64');
  });

  it('looks at no token of an address that has used up its limit', async () => {
    for (let n = 0; n < 2; n++) await enter(requestOf({ authorization: `Bearer bad${n}` }));
    expect(verifier.asked).toBe(2);
    await expect(enter(requestOf({ authorization: 'Bearer good' }))).rejects.toBeInstanceOf(RateLimited);
    expect(verifier.asked).toBe(2);
    await clock.advance(1_000);
    await enter(requestOf({ authorization: 'Bearer good' }));
    expect(verifier.asked).toBe(3);
  });

  it('counts nothing for exempt addresses, and follows which those are', async () => {
    for (let n = 0; n < 5; n++) expect((await enter(requestOf({}, '127.0.0.1'))).admitted.client).toBeUndefined();
    limit.set(clientLimitSpec.parse({ rate: 1, burst: 2, exempt: ['192.0.2.0/24'] }));
    expect((await enter(requestOf({}, '127.0.0.1'))).admitted.client).toBe('127.0.0.1');
    for (let n = 0; n < 5; n++) expect((await enter(requestOf())).reply.headers).not.toHaveProperty('ratelimit-limit');
  });
});

describe('the context of a request', () => {
  const spec = new Cell(edgeSpec.parse({ maxRequestTimeout: '10s' }));
  const secret = 'a secret of at least thirty-two bytes';

  async function context(headers: Record<string, string>, reply = new Reply()) {
    const request = requestOf(headers, '127.0.0.1');
    await enter(request, reply);
    RequestWatch.begin(request, reply as unknown as FastifyReply, undefined, clock);
    return contextOf(request, { spec, seal: new IdentitySeal(secret, clock), clock });
  }

  it.each([
    ['500', 500],
    ['10000', 10_000],
    ['10001', 10_000],
    ['999999999', 10_000],
    ['0', Infinity],
    ['-1', Infinity],
    ['1.5', Infinity],
    ['soon', Infinity],
  ])('has as its deadline what the client waits, up to the bound: %s', async (header, expected) => {
    expect((await context({ 'x-request-timeout': header })).remaining(clock)).toBe(expected);
  });

  it('says whose it is, sealed, and nothing where that is not known', async () => {
    const { identity } = await context({ authorization: 'Bearer good' });
    expect(new IdentitySeal(secret, clock).open(identity!)).toEqual(alice);
    expect((await context({})).identity).toBeUndefined();
    expect((await context({ authorization: 'Bearer bad', 'x-holdfast-identity': identity! })).identity).toBeUndefined();
  });

  it('has the client’s id and trace where they are well-formed', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const good = await context({ 'x-request-id': 'r-1', traceparent, tracestate: 'a=b' });
    expect(good).toMatchObject({ requestId: 'r-1', trace: { traceparent, tracestate: 'a=b' } });
    for (const wrong of [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `ff${traceparent.slice(2)}`, 'x']) {
      expect((await context({ traceparent: wrong })).trace).toBeUndefined();
    }
    expect((await context({ traceparent, tracestate: 'x'.repeat(600) })).trace).toEqual({ traceparent });
  });

  it('ends when the client goes away before its answer, or its time is over', async () => {
    const reply = new Reply();
    const left = await context({}, reply);
    const { signal } = left;
    reply.raw.emit('close');
    expect(signal.reason).toMatchObject({ code: Code.CANCELLED });

    const before = new Reply();
    const unasked = await context({ 'x-request-timeout': '100' }, before);
    before.raw.emit('close');
    expect(unasked.signal.reason).toMatchObject({ code: Code.CANCELLED });

    const late = await context({ 'x-request-timeout': '100' });
    const told = late.signal;
    await clock.advance(100);
    expect(told.reason).toBeInstanceOf(DeadlineExceeded);

    const answered = new Reply();
    const done = (await context({ 'x-request-timeout': '100' }, answered)).signal;
    answered.raw.writableFinished = true;
    answered.raw.emit('close');
    await settle();
    expect(done.aborted).toBe(false);
    expect(clock.pending).toBe(0);
    expect(CallContext.current()).toBeUndefined();
  });
});

describe('@RateLimit', () => {
  it.each([
    ['client', { rate: 1 }, 'name it by words'],
    ['two words', { rate: 1 }, 'name it by words'],
    ['users.create', { rate: 0 }, 'rate'],
    ['users.create', { rate: 1, burst: 0.5 }, 'burst'],
    ['users.create', { rate: 1, brust: 1 }, 'brust'],
  ])('%s %j is refused when the class is made', (name, numbers, hint) => {
    const decorate = () => RateLimit(name, numbers as { rate: number });
    expect(decorate).toThrow(StartupError);
    expect(decorate).toThrow(hint);
  });
});
