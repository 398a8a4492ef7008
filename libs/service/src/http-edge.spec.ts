import type { AddressInfo } from 'node:net';
import { Config } from '@holdfast/config';
import { systemClock } from '@holdfast/core';
import { ServiceLogger, Telemetry } from '@holdfast/telemetry';
import { eventually } from '@holdfast/testing';
import { Logger, Module } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { edgeOf } from './http-edge.js';
import { Lifecycle } from './lifecycle.js';
import type { Platform } from './platform.js';
import { serviceSettings } from './service-settings.js';

@Module({})
class App {}

describe('a request at the edge', () => {
  let fastify: FastifyInstance;
  let telemetry: Telemetry;
  let lines: Record<string, unknown>[];
  let url: string;

  beforeEach(async () => {
    lines = [];
    const to = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
    Logger.overrideLogger(new ServiceLogger({ name: 'edge', id: 'edge-1' }, { to }));
    telemetry = await Telemetry.open({ name: 'edge', id: 'edge-1' });
    const [self, config] = [{ name: 'edge', id: 'edge-1' }, new Config('edge', [])];
    const ground = { lifecycle: new Lifecycle(), settings: serviceSettings.parse({}), clock: systemClock };
    const edge = await edgeOf(App, true, { ...ground, self, config, telemetry } as unknown as Platform);
    fastify = edge.adapter.getInstance<FastifyInstance>();
    fastify.get('/users/:name', () => ({ ok: true }));
    fastify.post('/users', () => ({ ok: true }));
    fastify.get('/slow', () => new Promise(() => undefined));
    await fastify.listen({ host: '127.0.0.1', port: 0 });
    url = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    Logger.overrideLogger(['warn', 'error']);
    fastify.server.closeAllConnections();
    await fastify.close();
  });

  const counted = async () =>
    [
      ...(await telemetry.metrics.metrics()).matchAll(/^http_server_request_duration_seconds_count\{(.*)\} (\d+)$/gm),
    ].map(
      ([, labels, count]) => `${[...labels!.matchAll(/="([^"]*)"/g)].map(([, value]) => value).join(' ')}: ${count}`,
    );

  it('is one line and one count, however it was answered', async () => {
    const json = { 'content-type': 'application/json' };
    const requests: [string, RequestInit][] = [
      ['/users/alice?token=hunter2', {}],
      ['/nothing', {}],
      ['/users/%zz', {}],
      ['/users', { method: 'POST', body: '{"half', headers: json }],
      ['/users', { method: 'POST', body: `"${'x'.repeat(70_000)}"`, headers: json }],
    ];
    for (const [path, init] of requests) await (await fetch(url + path, init)).text();
    await eventually(() => expect(lines).toHaveLength(requests.length));
    expect(lines.map(({ msg }) => String(msg).replace(/ [\d.]+ ms$/, ''))).toEqual([
      'GET /users/alice 200',
      'GET /nothing 404',
      'GET /users/%zz 400',
      'POST /users 400',
      'POST /users 413',
    ]);
    expect(lines.map(({ route }) => route)).toEqual(['/users/:name', undefined, undefined, '/users', '/users']);
    expect(await counted()).toEqual([
      'GET /users/:name 200: 1',
      'GET unmatched 404: 1',
      'GET unmatched 400: 1',
      'POST /users 400: 1',
      'POST /users 413: 1',
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/hunter2|half/);
  });

  it('has the id that its caller gave it, where that is one, and else one of its own', async () => {
    const ask = async (id: string) => (await fetch(`${url}/users/alice`, { headers: { 'x-request-id': id } })).text();
    await ask('order-17');
    await ask('no id {}');
    await eventually(() => expect(lines).toHaveLength(2));
    expect(lines[0]!['request_id']).toBe('order-17');
    expect(lines[1]!['request_id']).toMatch(/^[\da-f-]{36}$/);
  });

  it('whose client hangs up is told of with 499', async () => {
    const hangUp = new AbortController();
    const answer = fetch(`${url}/slow`, { signal: hangUp.signal }).catch(() => 'gone');
    await eventually(() => fastify.server.getConnections((_error, count) => (count > 0 ? hangUp.abort() : undefined)) && hangUp.signal.aborted); // prettier-ignore
    expect(await answer).toBe('gone');
    await eventually(() => expect(lines).toHaveLength(1));
    // It is the socket that says so, outside of the request's context.
    const request_id = expect.stringMatching(/^[\da-f-]{36}$/) as string;
    expect(lines[0]).toMatchObject({ method: 'GET', route: '/slow', status: 499, request_id });
    expect(await counted()).toEqual(['GET /slow 499: 1']);
  });
});
