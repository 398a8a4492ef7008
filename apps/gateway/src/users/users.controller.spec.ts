import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Cancelled, Code, NoInstances, ServiceError } from '@holdfast/core';
import { ProblemFilter, SchemaPipe } from '@holdfast/edge';
import type { ListUsersRequest, ListUsersResponse, UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import type { RpcClient } from '@holdfast/rpc';
import { eventually } from '@holdfast/testing';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsersClient } from './users.client.js';
import { UsersController } from './users.controller.js';

type Users = RpcClient<UserServiceDefinition>;
type Listing = (request: ListUsersRequest, options?: { signal?: AbortSignal }) => AsyncIterable<ListUsersResponse>;

let app: NestFastifyApplication;
let asked: string[];
let listing: Listing;

/** A user service that knows alice alone. */
const users: Users = {
  async getUser({ name }) {
    asked.push(name);
    if (name !== 'alice' && name !== 'a/b ü')
      throw new ServiceError(Code.NOT_FOUND, `There is no user named "${name}".`);
    return {
      user: { name },
      message: `Hello, ${name}`, // demo
      servedBy: 'user-service-1',
    };
  },
  async createUser({ name }) {
    asked.push(name);
    if (name === 'alice') throw new ServiceError(Code.ALREADY_EXISTS, 'There is a user named "alice" already.');
    if (name === '') {
      const violations = [{ field: 'name', description: 'must have 1 to 64 characters' }];
      throw new ServiceError(Code.INVALID_ARGUMENT, 'This is no name for a user.', { violations });
    }
    return { user: { name: name.normalize('NFC') }, servedBy: 'user-service-1' };
  },
  listUsers: (request, options) => listing(request, options),
};

async function* list(...names: readonly string[]): AsyncGenerator<ListUsersResponse, void, undefined> {
  for (const name of names) yield { user: { name } };
}

/** Some users, and then a failure as soon as `failed` says so. */
async function* failing(count: number, failed: Promise<unknown>) {
  for (let i = 0; i < count; i++) yield { user: { name: `name${i}` } };
  await failed;
  throw new ServiceError(Code.UNAVAILABLE, 'The connection to the user service was lost.');
}

/** Rejects when the call is cancelled, as a real one does. */
function cancelled(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Cancelled('The call was cancelled.')), { once: true });
  });
}

beforeEach(async () => {
  asked = [];
  listing = () => list('alice', 'bob', 'carol');
  const module = await Test.createTestingModule({
    controllers: [UsersController],
    providers: [
      { provide: UsersClient, useFactory: () => new UsersClient(users) },
      { provide: APP_PIPE, useValue: new SchemaPipe() },
      { provide: APP_FILTER, useValue: new ProblemFilter() },
    ],
  }).compile();
  const adapter = new FastifyAdapter({ bodyLimit: 4_096, routerOptions: { maxParamLength: 1_024 } });
  app = module.createNestApplication<NestFastifyApplication>(adapter, { logger: false });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});

afterEach(async () => {
  await app.close();
});

function problem(answer: { statusCode: number; headers: Record<string, unknown>; json(): unknown }) {
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.json()).toMatchObject({ status: answer.statusCode });
  return answer.json() as { status: number; code: string; errors?: { field: string; description: string }[] };
}

describe('GET /users/:name', () => {
  it('answers with the user', async () => {
    const answer = await app.inject({ url: '/users/alice' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      name: 'alice',
      message: 'Hello, alice', // demo
      servedBy: 'user-service-1',
    });
  });

  it('takes any name, encoded', async () => {
    const answer = await app.inject({ url: `/users/${encodeURIComponent('a/b ü')}` });
    expect(answer.json()).toMatchObject({ name: 'a/b ü' });
    expect((await app.inject({ url: `/users/${encodeURIComponent('🙂'.repeat(64))}` })).statusCode).toBe(404);
    expect(asked).toEqual(['a/b ü', '🙂'.repeat(64)]);
  });

  it('passes on that there is no such user', async () => {
    const answer = await app.inject({ url: '/users/dave' });
    expect(problem(answer)).toMatchObject({ status: 404, code: 'NOT_FOUND', detail: 'There is no user named "dave".' });
  });

  it('refuses a path that is not UTF-8, without asking the service', async () => {
    expect((await app.inject({ url: '/users/%E0%A4%A' })).statusCode).toBe(400);
    expect(asked).toEqual([]);
  });
});

describe('POST /users', () => {
  const post = (payload: string, type = 'application/json') =>
    app.inject({ method: 'POST', url: '/users', payload, headers: { 'content-type': type } });

  it('answers 201 with where the user is, by the name that was kept', async () => {
    const answer = await post(JSON.stringify({ name: 'Zoe\u0308/b' }));
    expect(answer.statusCode).toBe(201);
    expect(answer.headers['location']).toBe('/users/Zo%C3%AB%2Fb');
    expect(answer.json()).toEqual({ name: 'Zo\u00eb/b', servedBy: 'user-service-1' });
  });

  it('answers 409 for a name that is taken', async () => {
    const answer = await post('{"name":"alice"}');
    expect(problem(answer)).toMatchObject({ status: 409, code: 'ALREADY_EXISTS' });
    expect(answer.headers['location']).toBeUndefined();
  });

  it('passes on what the service says of a name', async () => {
    const answer = problem(await post('{"name":""}'));
    expect(answer).toMatchObject({
      status: 400,
      errors: [{ field: 'name', description: 'must have 1 to 64 characters' }],
    });
  });

  it.each([
    ['{}', 'name', 'must be a string'],
    ['{"name":7}', 'name', 'must be a string'],
    ['{"name":null}', 'name', 'must be a string'],
    ['{"name":["alice"]}', 'name', 'must be a string'],
    ['{"name":"\\ud800"}', 'name', 'must be well-formed Unicode text'],
    [`{"name":"${'a'.repeat(1_025)}"}`, 'name', 'must not be longer than 1024 characters'],
    ['{"name":"dave","admin":true}', 'admin', 'is not a field of this request'],
    ['[]', 'body', 'must be a JSON object'],
    ['null', 'body', 'must be a JSON object'],
    ['"alice"', 'body', 'must be a JSON object'],
  ])('answers 400 for %j, and names the field', async (payload, field, description) => {
    expect(problem(await post(payload))).toMatchObject({
      status: 400,
      code: 'INVALID_ARGUMENT',
      errors: [{ field, description }],
    });
    expect(asked).toEqual([]);
  });

  it('names no more than 20 fields', async () => {
    const fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`field${i}`, i]));
    expect(problem(await post(JSON.stringify(fields))).errors).toHaveLength(20);
  });

  it.each(['{', '{"name":', 'name=dave', ''])('answers 400 for the malformed body %j', async (payload) => {
    expect(problem(await post(payload)).status).toBe(400);
    expect(asked).toEqual([]);
  });

  it('answers 413 for a body that is too large, and 415 for one that is not JSON', async () => {
    expect(problem(await post(JSON.stringify({ name: 'a'.repeat(5_000) }))).status).toBe(413);
    expect(problem(await post('<name/>', 'text/xml')).status).toBe(415);
  });
});

describe('GET /users', () => {
  const port = () => (app.getHttpServer().address() as AddressInfo).port;

  /** Opens the list on a real connection. */
  async function open(accept: string): Promise<IncomingMessage> {
    if (!app.getHttpServer().listening) await app.listen(0, '127.0.0.1');
    const request = get({ host: '127.0.0.1', port: port(), path: '/users', agent: false, headers: { accept } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    return response;
  }

  it.each([
    [[], '[]'],
    [['alice'], '[{"name":"alice"}]'],
    [['alice', 'bob "b"'], '[{"name":"alice"},{"name":"bob \\"b\\""}]'],
  ])('answers %j as a JSON array', async (names, body) => {
    listing = () => list(...names);
    const answer = await app.inject({ url: '/users', headers: { accept: 'application/json, */*;q=0.1' } });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.headers['vary']).toBe('accept');
    expect(answer.body).toBe(body);
  });

  it('answers as server-sent events to who asks for them', async () => {
    const answer = await app.inject({ url: '/users', headers: { accept: 'Text/Event-Stream;q=0.9, */*' } });
    expect(answer.headers['content-type']).toBe('text/event-stream');
    expect(answer.body).toBe(
      ['alice', 'bob', 'carol'].map((name) => `event: user\ndata: {"name":"${name}"}\n\n`).join('') +
        'event: end\ndata: {}\n\n',
    );
  });

  it.each(['application/json', 'text/event-stream'])(
    'answers with a problem when the list fails at once: %s',
    async (accept) => {
      // oxlint-disable-next-line require-yield -- it fails before the first one
      listing = async function* () {
        throw new NoInstances('user-service');
      };
      const answer = await app.inject({ url: '/users', headers: { accept } });
      expect(problem(answer)).toMatchObject({ status: 503, reason: 'NO_INSTANCES' });
    },
  );

  it('cuts the connection when a JSON list fails midway', async () => {
    const service = new EventEmitter();
    listing = () => failing(3, once(service, 'down'));
    const response = await open('application/json');
    let body = '';
    response.on('data', (text: string) => (body += text));
    const end = once(response, 'end');
    await eventually(() => body.includes('name2'));
    service.emit('down');
    await expect(end).rejects.toThrow('aborted');
    expect(response.complete).toBe(false);
    expect(() => JSON.parse(body)).toThrow(SyntaxError);
  });

  it('ends server-sent events with the problem when the list fails midway', async () => {
    listing = () => failing(1, Promise.resolve());
    const { body } = await app.inject({ url: '/users', headers: { accept: 'text/event-stream' } });
    const [first, last] = body.split('\n\n');
    expect(first).toBe('event: user\ndata: {"name":"name0"}');
    expect(last).toMatch(/^event: error\ndata: /);
    expect(JSON.parse(last!.slice('event: error\ndata: '.length))).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(body).not.toContain('event: end');
  });

  it('cancels the call when the client goes away, also between two users', async () => {
    let ended = false;
    listing = async function* (_request, options) {
      try {
        yield { user: { name: 'alice' } };
        await cancelled(options?.signal);
      } finally {
        ended = true;
      }
    };
    const response = await open('application/json');
    await once(response, 'data');
    expect(ended).toBe(false);
    response.destroy();
    await eventually(() => ended);
  });

  it('reads no further than the client does', async () => {
    let read = 0;
    let ended = false;
    const name = 'x'.repeat(1_000);
    listing = async function* () {
      try {
        for (; ; read++) {
          yield { user: { name } };
          if (read % 100 === 0) await new Promise(setImmediate);
        }
      } finally {
        ended = true;
      }
    };
    const response = await open('application/json');
    response.pause();
    // The buffers of both sockets fill up, and then nothing more is asked for.
    let before = -1;
    await eventually(
      () => {
        const still = read === before;
        before = read;
        return still;
      },
      { everyMs: 200 },
    );
    expect(read).toBeLessThan(20_000);
    response.destroy();
    await eventually(() => ended);
  });
});
