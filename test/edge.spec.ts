import { setImmediate as nextTurn } from 'node:timers';
import { openConfigDriver, type ConfigDriver } from '@holdfast/config';
import { Code, ServiceError, systemClock } from '@holdfast/core';
import * as grpc from '@grpc/grpc-js';
import { Caller, Scopes, type Identity } from '@holdfast/edge';
import { UserServiceDefinition, type CreateUserRequest, type GetUserRequest } from '@holdfast/proto/user/v1/user';
import type { RunningService } from '@holdfast/service';
import { eventually, Mesh } from '@holdfast/testing';
import { Controller, Module } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppModule as Gateway } from '../apps/gateway/src/app.module.js';

const secret = 'a secret of at least thirty-two bytes';
const IDENTITY_SECRET = 'another secret, which only the mesh has';
const seen: { caller: Identity | undefined }[] = [];
let created = 0;
let hold: Promise<void> | undefined;

/** A user service that greets whoever calls. */
@Controller()
class Users {
  @GrpcMethod('UserService', 'GetUser')
  getUser(@Payload() { name }: GetUserRequest, @Caller() caller: Identity | undefined) {
    seen.push({ caller });
    if (name === 'long') return { user: { name }, message: 'x'.repeat(5_000), servedBy: 'users' };
    if (name === 'bug') throw new TypeError('the password is hunter2');
    return { user: { name }, message: `Hello, ${caller?.subject ?? 'stranger'}`, servedBy: 'users' };
  }

  @GrpcMethod('UserService', 'CreateUser')
  @Scopes('users:write')
  async createUser(@Payload() { name }: CreateUserRequest) {
    created++;
    await hold;
    return { user: { name }, servedBy: 'users' };
  }

  @GrpcMethod('UserService', 'ListUsers')
  async *listUsers() {
    for (const name of ['alice', 'bob']) yield { user: { name } };
    throw new ServiceError(Code.UNAVAILABLE, 'The list broke off.');
  }
}

@Module({ controllers: [Users] })
class UsersApp {}

let mesh: Mesh;
let gateway: RunningService;
let users: RunningService;
let store: ConfigDriver;

async function tokenOf(subject: string, scope = 'users:write', ttl = 600): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + ttl;
  const token = await new SignJWT({ sub: subject, scope, exp })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(secret));
  return `Bearer ${token}`;
}

async function write(values: Record<string, string>, service = 'gateway'): Promise<void> {
  const { cursor } = await store.read(service, undefined, AbortSignal.timeout(1_000));
  const changes = new Map(Object.entries(values));
  expect(await store.write(service, changes, cursor, AbortSignal.timeout(1_000))).toBe(true);
}

async function ask(path: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const response = await fetch(`${gateway.http}${path}`, { ...init, headers });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json')
    ? (JSON.parse(text) as Record<string, unknown>)
    : {};
  return { status: response.status, headers: response.headers, text, json };
}

const post = (name: string, headers: Record<string, string> = {}, init: RequestInit = {}) => {
  const body = JSON.stringify({ name });
  return ask('/v1/users', { 'content-type': 'application/json', ...headers }, { method: 'POST', body, ...init });
};

function held(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settled) => (resolve = settled));
  return { promise, resolve };
}

/** A client behind a proxy that is believed. */
let client = 0;
const stranger = () => ({ 'x-forwarded-for': `192.0.2.${++client}` });

beforeAll(async () => {
  mesh = await Mesh.open();
  store = await openConfigDriver(mesh.configUrl, { clock: systemClock, random: Math.random });
  users = await mesh.start(UsersApp, { name: 'user-service', rpc: [UserServiceDefinition], env: { IDENTITY_SECRET } });
  const env = {
    AUTH_JWT_SECRET: secret,
    IDENTITY_SECRET,
    TRUST_PROXY: '127.0.0.0/8',
    CORS_ORIGINS: 'https://app.test',
  };
  gateway = await mesh.start(Gateway, { name: 'gateway', http: { openapi: { title: 'Users' } }, env });
});
afterAll(async () => {
  await store.close();
  await mesh[Symbol.asyncDispose]();
});
beforeEach(() => {
  seen.length = 0;
  created = 0;
  hold = undefined;
});

describe('who may come in', () => {
  it('nobody without a good token', async () => {
    const none = await ask('/v1/users/alice');
    expect(none).toMatchObject({ status: 401, json: { code: 'UNAUTHENTICATED', reason: 'MISSING_TOKEN' } });
    expect(none.headers.get('www-authenticate')).toBe('Bearer');
    for (const authorization of ['Bearer x.y.z', 'Bearer', 'Basic YTpi', await tokenOf('alice', '', -60)]) {
      const bad = await ask('/users/alice', { authorization });
      expect(bad).toMatchObject({ status: 401, json: { reason: 'INVALID_TOKEN' } });
      expect(bad.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
    expect(seen).toEqual([]);
  });

  it('no body that reaches for prototypes', async () => {
    const authorization = await tokenOf('alice');
    for (const body of ['{"name":"eve","__proto__":{"admin":true}}', '{"name":"eve","constructor":{"prototype":{}}}']) {
      // Refused as JSON: no schema and no handler sees it.
      const refused = { status: 400, json: { detail: expect.stringContaining('not valid JSON') as string } };
      expect(await post('', { authorization }, { body })).toMatchObject(refused);
    }
    expect(created).toBe(0);
  });

  it('nobody without the scope, at the gateway or at the service', async () => {
    const answer = await post('dora', { authorization: await tokenOf('alice', 'users:read') });
    expect(answer).toMatchObject({ status: 403, json: { reason: 'INSUFFICIENT_SCOPE' } });
    expect(answer.json['detail']).toBe('This needs the scope users:write.');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope"');
    expect(await post('dora', { authorization: await tokenOf('alice') })).toMatchObject({ status: 201 });
    expect(created).toBe(1);
  });

  it('nobody past the gateway, straight to a service that asks for a scope', async () => {
    const direct = new grpc.Client(users.grpc!, grpc.credentials.createInsecure());
    const { requestType, responseType } = UserServiceDefinition.methods.createUser;
    const error = await new Promise<grpc.ServiceError | null>((resolve) =>
      direct.makeUnaryRequest(
        '/user.v1.UserService/CreateUser',
        (request: CreateUserRequest) => Buffer.from(requestType.encode(request).finish()),
        (bytes) => responseType.decode(bytes),
        { name: 'dora' },
        resolve,
      ),
    );
    expect(error).toMatchObject({ code: Code.UNAUTHENTICATED });
    direct.close();
    expect(created).toBe(0);
  });

  it('but everybody to the description of it all', async () => {
    expect((await ask('/openapi.json')).json).toMatchObject({ openapi: '3.1.0', info: { title: 'Users' } });
    const { paths } = (await ask('/openapi.json')).json as unknown as { paths: Record<string, Record<string, object>> };
    expect(Object.keys(paths).toSorted()).toEqual(['/v1/users', '/v1/users/{name}']);
    expect(paths['/v1/users']!['post']).toMatchObject({
      security: [{ bearer: ['users:write'] }],
      parameters: [{ name: 'Idempotency-Key', in: 'header', required: false }],
    });
    expect(paths['/v1/users']!['get']).toMatchObject({ security: [{ bearer: [] }] });
    expect(JSON.stringify(paths)).not.toContain('x-holdfast');
    expect((await ask('/docs')).text).toContain('swagger-ui');
    expect((await ask('/docs/swagger-ui-bundle.js')).status).toBe(200);
    expect((await ask('/nowhere')).status).toBe(404);
  });

  it('services learn from the gateway alone on whose behalf they are called', async () => {
    const authorization = await tokenOf('alice', 'a b');
    expect((await ask('/v1/users/x', { authorization })).json['message']).toBe('Hello, alice');
    expect(seen).toEqual([{ caller: { subject: 'alice', scopes: ['a', 'b'] } }]);
    const forged = { authorization, 'x-holdfast-identity': 'mallory', 'grpc-metadata-x-holdfast-identity': 'mallory' };
    expect((await ask('/v1/users/x', forged)).json['message']).toBe('Hello, alice');
  });
});

describe('how often', () => {
  it('each client its burst; then 429, with the time to wait', async () => {
    await write({ 'rateLimit.client': '{ rate: 1, burst: 3, exempt: [] }' });
    const authorization = await tokenOf('burst');
    await eventually(async () => expect((await ask('/nowhere', stranger())).headers.get('ratelimit-limit')).toBe('3'));
    const from = stranger();
    const remaining: (string | null)[] = [];
    for (let n = 0; n < 3; n++) remaining.push((await ask('/nowhere', from)).headers.get('ratelimit-remaining'));
    expect(remaining).toEqual(['2', '1', '0']);
    const refused = await ask('/nowhere', from);
    expect(refused).toMatchObject({ status: 429, json: { reason: 'RATE_LIMITED' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect(refused.headers.get('x-content-type-options')).toBe('nosniff');
    // Another client, and one who says who he is, have buckets of their own.
    expect((await ask('/nowhere', stranger())).status).toBe(404);
    expect((await ask('/nowhere', { ...stranger(), authorization })).headers.get('ratelimit-remaining')).toBe('2');
    expect((await ask('/nowhere', { ...stranger(), authorization })).headers.get('ratelimit-remaining')).toBe('1');
  });

  it('a client that guesses tokens is refused before they are looked at', async () => {
    const from = stranger();
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++)
      statuses.push((await ask('/v1/users/x', { ...from, authorization: `Bearer ${n}.y.z` })).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
  });

  it('a route’s own limit counts for each client beside it, and is changed while it serves', async () => {
    await write({
      'rateLimit.client': '{ rate: 1000, burst: 1000 }',
      'rateLimit.users.create': '{ rate: 1, burst: 2 }',
    });
    const authorization = await tokenOf('creator');
    const headers = () => ({ authorization, ...stranger() });
    await eventually(async () =>
      expect((await ask('/nowhere', headers())).headers.get('ratelimit-limit')).toBe('1000'),
    );
    expect((await post('a', headers())).headers.get('ratelimit-limit')).toBe('2');
    expect((await post('b', headers())).status).toBe(201);
    expect(await post('c', headers())).toMatchObject({ status: 429, json: { reason: 'RATE_LIMITED' } });
    expect((await ask('/v1/users/x', headers())).status).toBe(200);
    expect(created).toBe(2);
    expect((await post('d', { authorization })).status).toBe(201);
  });
});

describe('what comes with an answer', () => {
  it('its id, its own or the client’s, and headers that keep browsers out of trouble', async () => {
    const authorization = await tokenOf('alice');
    const answer = await ask('/v1/users/x', { authorization, 'x-request-id': 'r-1' });
    expect(answer.headers.get('x-request-id')).toBe('r-1');
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(answer.headers.get('x-frame-options')).toBe('DENY');
    expect(answer.headers.get('referrer-policy')).toBeNull();
    const page = await ask('/docs');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    for (const id of ['', 'a b', 'x'.repeat(200)]) {
      expect((await ask('/nowhere', { 'x-request-id': id })).headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it('an ETag on reads, and 304 for who has the answer', async () => {
    const authorization = await tokenOf('alice');
    const first = await ask('/v1/users/x', { authorization });
    const etag = first.headers.get('etag')!;
    expect(etag).toMatch(/^W\/"/);
    for (const known of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
      const again = await ask('/v1/users/x', { authorization, 'if-none-match': known });
      expect(again).toMatchObject({ status: 304, text: '' });
      expect(again.headers.get('etag')).toBe(etag);
    }
    expect((await ask('/v1/users/x', { authorization, 'if-none-match': '"other"' })).status).toBe(200);
    expect((await post('e', { authorization, 'if-none-match': '*' })).headers.get('etag')).toBeNull();
    expect((await ask('/nowhere')).headers.get('etag')).toBeNull();
  });

  it('compressed, where it is long and the client can read that', async () => {
    const authorization = await tokenOf('alice');
    const long = await ask('/v1/users/long', { authorization, 'accept-encoding': 'gzip' });
    expect(long.headers.get('content-encoding')).toBe('gzip');
    expect(long.headers.get('vary')).toContain('accept-encoding');
    expect(long.json['message']).toHaveLength(5_000);
    const plain = await ask('/v1/users/long', { authorization, 'accept-encoding': 'identity' });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(
      (await ask('/v1/users/x', { authorization, 'accept-encoding': 'gzip' })).headers.get('content-encoding'),
    ).toBeNull();
  });

  it('leave for the web pages that may call, and for no others', async () => {
    const preflight = (origin: string) =>
      ask('/v1/users', { origin, 'access-control-request-method': 'POST' }, { method: 'OPTIONS' });
    const mine = await preflight('https://app.test');
    expect(mine.status).toBe(204);
    expect(mine.headers.get('access-control-allow-origin')).toBe('https://app.test');
    expect((await preflight('https://evil.test')).headers.get('access-control-allow-origin')).not.toBe(
      'https://evil.test',
    );
  });

  it('nothing of a bug', async () => {
    const answer = await ask('/v1/users/bug', { authorization: await tokenOf('alice') });
    expect(answer.text).not.toContain('hunter2');
  });

  it('events as they come, and the failure as the last one, also to who can read compressed ones', async () => {
    const authorization = await tokenOf('alice');
    for (const encoding of ['identity', 'gzip']) {
      const headers = { authorization, accept: 'text/event-stream', 'accept-encoding': encoding };
      const answer = await ask('/v1/users', headers);
      expect(answer.headers.get('content-encoding')).toBeNull();
      expect(answer.text).toMatch(/^event: user\ndata: \{"name":"alice"\}\n\nevent: user\n.*\n\nevent: error\n/);
    }
    const array = fetch(`${gateway.http}/v1/users`, { headers: { authorization, 'accept-encoding': 'gzip' } });
    await expect(array.then((response) => response.text())).rejects.toThrow('terminated');
  });
});

describe('what is to be done once', () => {
  it('is done once, however often it is asked for', async () => {
    const headers = { authorization: await tokenOf('alice'), 'idempotency-key': 'k-1' };
    const first = await post('zoe', headers);
    const again = await post('zoe', headers);
    expect([first.status, again.status, created]).toEqual([201, 201, 1]);
    expect(again.json).toEqual(first.json);
    expect(again.headers.get('location')).toBe('/v1/users/zoe');
    expect([first, again].map(({ headers: told }) => told.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect(await post('other', headers)).toMatchObject({ status: 422 });
    expect((await post('zoe', { ...headers, authorization: await tokenOf('bob') })).status).toBe(201);
    expect(created).toBe(2);
    expect(await post('zoe', { ...headers, 'idempotency-key': 'a b' })).toMatchObject({ status: 400 });
  });

  it('also when the client leaves meanwhile and asks again', async () => {
    const { promise, resolve: release } = held();
    hold = promise;
    const headers = { authorization: await tokenOf('alice'), 'idempotency-key': 'k-2' };
    const leaving = new AbortController();
    const left = expect(post('yan', headers, { signal: leaving.signal })).rejects.toThrow('aborted');
    await eventually(() => created === 1);
    expect(await post('yan', headers)).toMatchObject({ status: 409, json: { reason: 'IDEMPOTENCY_KEY_IN_USE' } });
    leaving.abort();
    await left;
    await new Promise((resolve) => nextTurn(resolve));
    release();
    const answer = await eventually(async () => {
      const again = await post('yan', headers);
      return again.status === 201 && again;
    });
    expect(answer).toMatchObject({ json: { name: 'yan' } });
    expect(created).toBe(1);
  });
});

describe('another gateway', () => {
  it('has no say with services that have another secret, and believes no header of where a request is from', async () => {
    await write({ 'rateLimit.client': '{ rate: 1, burst: 2, exempt: [] }' }, 'other-gateway');
    const other = await mesh.start(Gateway, {
      name: 'other-gateway',
      http: true,
      env: { AUTH_JWT_SECRET: secret, IDENTITY_SECRET: `${IDENTITY_SECRET}!` },
    });
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await fetch(`${other.http}/nowhere`, { headers: stranger() })).status);
    expect(statuses).toEqual([404, 404, 429]);
    const authorization = await tokenOf('alice');
    // Its token is not known yet, and its address has none left.
    await eventually(
      async () => (await fetch(`${other.http}/v1/users/x`, { headers: { authorization } })).status === 401,
    );
    const response = await fetch(`${other.http}/v1/users/x`, { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ reason: 'UNTRUSTED_IDENTITY' });
    expect(seen).toEqual([]);
  });
});
