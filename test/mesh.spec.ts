import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { openConfigDriver } from '@holdfast/config';
import { Cell, systemClock } from '@holdfast/core';
import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { registerMeshResolver } from '@holdfast/rpc';
import { Mesh, eventually } from '@holdfast/testing';
import type { RunningService } from '@holdfast/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule as Gateway } from '../apps/gateway/src/app.module.js';
import { AppModule as UserService } from '../apps/user-service/src/app.module.js';
import { settings } from '../apps/user-service/src/settings.js';

async function adminOf(service: RunningService, path: string) {
  const response = await fetch(`${service.admin}${path}`);
  return (await response.json()) as { info: { config: unknown }; resilience: object };
}

describe('the two apps in one process', () => {
  let mesh: Mesh;
  let gateway: RunningService;
  let users: RunningService[];

  beforeAll(async () => {
    mesh = await Mesh.open();
    const env = { DATABASE_URL: `file:${join(mesh.path, 'users.db')}` };
    const start = () => mesh.start(UserService, { name: 'user-service', rpc: [UserServiceDefinition], settings, env });
    users = [await start(), await start()];
    gateway = await mesh.start(Gateway, { name: 'gateway', http: true });
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${gateway.http}${path}`, init);
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  };
  const create = (body: string) =>
    ask('/users', { method: 'POST', body, headers: { 'content-type': 'application/json' } });

  it('answer from each replica in turn', async () => {
    const answers = await Promise.all([ask('/users/alice'), ask('/users/alice')]);
    const bodies = answers.map(({ text }) => JSON.parse(text) as { servedBy: string });
    expect(bodies[0]).toMatchObject({ name: 'alice', message: 'Hello, alice' });
    expect(new Set(bodies.map(({ servedBy }) => servedBy))).toEqual(new Set(users.map(({ self }) => self.id)));
  });

  it('follow their settings while they serve, and keep the last good one', async () => {
    const store = await openConfigDriver(mesh.configUrl, { clock: systemClock, random: Math.random });
    const write = async (service: string, path: string, text: string) => {
      const { cursor } = await store.read(service, undefined, AbortSignal.timeout(1_000));
      expect(await store.write(service, new Map([[path, text]]), cursor, AbortSignal.timeout(1_000))).toBe(true);
    };
    try {
      await write('user-service', '', 'greeting: { template: "Good day, {name}" }');
      await eventually(async () => expect((await ask('/users/alice')).text).toContain('Good day, alice'));
      await write('user-service', 'greeting.template', '17');
      const told = { status: 'up', degraded: true, reasons: ['greeting.template: expected string, received number'] };
      await eventually(async () => expect((await adminOf(users[0]!, '/readyz')).info.config).toEqual(told));
      expect((await ask('/users/alice')).text).toContain('Good day, alice');

      await write('gateway', 'resilience.users.get.bulkhead.limit', '7');
      await eventually(async () =>
        expect((await adminOf(gateway, '/mesh')).resilience).toMatchObject({ 'users.get': { bulkhead: { limit: 7 } } }),
      );
      await write('gateway', 'rpc.user-service.balancer', 'least_request');
      await write('gateway', 'log.level', 'error');
      await eventually(() => gateway.logLevel.value === 'error');
      expect((await adminOf(gateway, '/readyz')).info.config).toEqual({ status: 'up', degraded: false });
    } finally {
      await write('user-service', 'greeting.template', 'null');
      await write('user-service', '', '{}');
      await store.close();
    }
    await eventually(async () => expect((await ask('/users/alice')).text).toContain('Hello, alice'));
  });

  it('create a user once', async () => {
    expect(await create('{"name":"zoë"}')).toMatchObject({ status: 201 });
    const again = await create('{"name":"zoë"}');
    expect(again).toMatchObject({ status: 409, type: expect.stringContaining('application/problem+json') as string });
    expect(JSON.parse(again.text)).toMatchObject({ code: 'ALREADY_EXISTS', status: 409 });
    expect((await ask('/users/zo%C3%AB')).status).toBe(200);
  });

  it('list users as an array, or as events', async () => {
    const list = await ask('/users');
    expect(JSON.parse(list.text)).toEqual(
      expect.arrayContaining([{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }]),
    );
    const events = await ask('/users', { headers: { accept: 'text/event-stream' } });
    expect(events.type).toContain('text/event-stream');
    expect(events.text).toContain('event: user\ndata: {"name":"bob"}\n\n');
    expect(events.text.endsWith('event: end\ndata: {}\n\n')).toBe(true);
  });

  it.each([
    ['an empty name', '{"name":""}', 'name'],
    ['a long name', JSON.stringify({ name: 'x'.repeat(65) }), 'name'],
    ['a name that cannot be printed', JSON.stringify({ name: 'a\u0000b' }), 'name'],
    ['a number for a name', '{"name":7}', 'name'],
    ['no name', '{}', 'name'],
    ['a field too many', '{"name":"x","admin":true}', 'admin'],
  ])('refuse %s, naming the field', async (_what, body, field) => {
    const answer = await create(body);
    expect(answer).toMatchObject({ status: 400, type: expect.stringContaining('application/problem+json') as string });
    const problem = JSON.parse(answer.text) as { errors: { field: string; description: string }[] };
    expect(problem.errors.map((error) => error.field)).toContain(field);
  });

  it.each([
    ['an unknown user', '/users/nobody', {}, 404],
    ['an unknown path', '/nothing', {}, 404],
    [
      'a malformed body',
      '/users',
      { method: 'POST', body: '{"name', headers: { 'content-type': 'application/json' } },
      400,
    ],
    [
      'too large a body',
      '/users',
      { method: 'POST', body: `"${'x'.repeat(70_000)}"`, headers: { 'content-type': 'application/json' } },
      413,
    ],
    ['a malformed URL', '/users/%zz', {}, 400],
    ['too long a name in the URL', `/users/${'x'.repeat(2_000)}`, {}, 414],
  ])('answer %s with a problem', async (_what, path, init, status) => {
    const answer = await ask(path, init as RequestInit);
    expect(answer).toMatchObject({ status, type: expect.stringContaining('application/problem+json') as string });
    expect(JSON.parse(answer.text)).toMatchObject({ status, title: expect.any(String) as string });
    expect(answer.text.length).toBeLessThan(600);
  });

  it('serve health on the admin port', async () => {
    for (const { admin } of [gateway, ...users]) {
      expect((await fetch(`${admin}/livez`)).status).toBe(200);
      const ready = await fetch(`${admin}/readyz`);
      expect(ready.status).toBe(200);
      expect(await ready.json()).toMatchObject({
        details: { service: { phase: 'ready' }, registry: { degraded: false } },
      });
    }
  });

  it('are usable by any grpc-js client as mesh:user-service', async () => {
    const instances = new Cell(users.map(({ self, grpc: address }) => ({ id: self.id, service: 'user-service', host: '127.0.0.1', port: Number(address!.split(':')[1]), protocol: 'grpc' as const }))); // prettier-ignore
    const options = registerMeshResolver({ watch: () => instances });
    const config = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });
    const client = new grpc.Client('mesh:user-service', grpc.credentials.createInsecure(), {
      ...options,
      'grpc.service_config': config,
    });
    const { getUser } = UserServiceDefinition.methods;
    const get = () =>
      new Promise<string>((resolve, reject) => {
        const encode = (request: { name: string }) => Buffer.from(getUser.requestType.encode(request).finish());
        client.makeUnaryRequest(
          '/user.v1.UserService/GetUser',
          encode,
          (bytes) => getUser.responseType.decode(bytes),
          { name: 'bob' },
          (error, response) => (error ? reject(error) : resolve(response!.servedBy)),
        );
      });
    const servedBy = new Set<string>();
    await eventually(async () => servedBy.add(await get()).size === 2);
    client.close();
    expect(servedBy).toEqual(new Set(users.map(({ self }) => self.id)));
  });

  it('tell their callers how much they bear', async () => {
    const env = { DATABASE_URL: `file:${join(mesh.path, 'users.db')}`, WEIGHT: '3' };
    const strong = await mesh.start(UserService, { name: 'user-service', rpc: [UserServiceDefinition], settings, env });
    const seen = async () => {
      const response = await fetch(`${gateway.admin}/mesh`);
      const { targets } = (await response.json()) as {
        targets: { peers: { id: string; weight: number }[] }[];
      };
      return targets.flatMap(({ peers }) => peers.map(({ id, weight }) => [id, weight]));
    };
    await eventually(async () => expect(await seen()).toContainEqual([strong.self.id, 3]));
    expect(await seen()).toContainEqual([users[0]!.self.id, 1]);
    await strong.stop();
    await eventually(async () => expect(await seen()).toHaveLength(2));
  });

  it('a replica that stops is called no more, and the rest go on', async () => {
    const [first, second] = users as [RunningService, RunningService];
    await first.stop();
    for (let call = 0; call < 10; call++) {
      const answer = await ask('/users/alice');
      expect(JSON.parse(answer.text)).toMatchObject({ servedBy: second.self.id });
    }
  });
});
