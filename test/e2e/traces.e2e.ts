import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, eventually } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.js';

const root = join(import.meta.dirname, '../..');
const main = (app: string) => join(root, 'apps', app, 'dist/main.js');
const method = 'user.v1.UserService/GetUser';
const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];
/** Spans are sent in batches, every five seconds. */
const SENT = { withinMs: 20_000, everyMs: 50 };

const only = (spans: readonly ReceivedSpan[], kind: number, service: string): ReceivedSpan => {
  const found = spans.filter((span) => span.kind === kind && span.service === service);
  expect(found).toHaveLength(1);
  return found[0]!;
};
const childrenOf = (spans: readonly ReceivedSpan[], { spanId }: { spanId: string }) =>
  spans.filter(({ parentSpanId }) => parentSpanId === spanId);

describe('a request that is traced', () => {
  let folder: string;
  let collector: OtlpReceiver;
  let users: AppProcess[];
  let gateway: AppProcess;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-traces-'));
    collector = await OtlpReceiver.open();
    const env = {
      REGISTRY_URL: `file:${join(folder, 'registry')}`,
      SNAPSHOT_DIR: join(folder, 'snapshots'),
      DATABASE_URL: `file:${join(folder, 'users.db')}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20top-secret',
      LOG_LEVEL: 'debug',
      DRAIN_MS: '2000',
    };
    const start = (app: string) => AppProcess.start(main(app), { cwd: folder, env });
    users = [await start('user-service'), await start('user-service')];
    gateway = await start('gateway');
    await eventually(async () => {
      const { targets } = (await (await fetch(`${gateway.ready.admin}/mesh`)).json()) as {
        targets: { peers: { state: string }[] }[];
      };
      return targets[0]?.peers.filter(({ state }) => state === 'ready' || state === 'warming').length === 2;
    });
  });
  afterAll(async () => {
    await Promise.all([gateway, ...users].map((app) => app[Symbol.asyncDispose]()));
    await collector[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Asks for a user in a trace of our own. */
  const ask = async (path: string) => {
    const traceId = randomBytes(16).toString('hex');
    const spanId = randomBytes(8).toString('hex');
    const headers = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=x' };
    const response = await fetch(`${gateway.ready.http}${path}`, { headers });
    return { traceId, spanId, status: response.status, text: await response.text() };
  };

  it('is one trace from HTTP through the policies and the attempt to the handler', async () => {
    const { traceId, spanId, status } = await ask('/users/alice?token=secret');
    expect(status).toBe(200);
    const spans = await eventually(() => {
      const arrived = collector.trace(traceId);
      expect(arrived).toHaveLength(4);
      return arrived;
    }, SENT);

    const edge = only(spans, SERVER, 'gateway');
    expect(edge).toMatchObject({ name: 'GET /users/:name', parentSpanId: spanId, status: 0 });
    expect(edge.attributes).toMatchObject({ 'http.route': '/users/:name', 'http.response.status_code': 200 });
    const policies = only(spans, INTERNAL, 'gateway');
    expect(policies).toMatchObject({ name: 'users.get', parentSpanId: edge.spanId, events: [] });
    expect(policies.attributes).toEqual({ 'holdfast.outcome': 'ok' });
    const attempt = only(spans, CLIENT, 'gateway');
    expect(attempt).toMatchObject({ name: method, parentSpanId: policies.spanId });
    expect(attempt.attributes).toMatchObject({
      'rpc.system.name': 'grpc',
      'rpc.response.status_code': 'OK',
      'server.address': 'user-service',
    });
    expect(users.map(({ ready }) => ready.grpc)).toContain(attempt.attributes['network.peer.address']);
    const served = only(spans, SERVER, 'user-service');
    expect(served).toMatchObject({ name: method, parentSpanId: attempt.spanId });
    expect(JSON.stringify(spans)).not.toContain('secret');
  });

  it('has its ids on the lines that it leaves in the logs of both processes, and no secret', async () => {
    const { traceId } = await ask('/users/bob?token=secret');
    const linesOf = ({ printed }: AppProcess) =>
      printed
        .split('\n')
        .filter((line) => line.includes(traceId))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const access = await eventually(() => {
      const lines = linesOf(gateway).filter(({ context }) => context === 'Http');
      expect(lines).toHaveLength(1);
      return lines[0]!;
    });
    expect(access).toMatchObject({
      level: 'info',
      method: 'GET',
      path: '/users/bob',
      route: '/users/:name',
      status: 200,
    });
    const served = await eventually(() => {
      const lines = users.flatMap(linesOf).filter(({ context }) => context === 'Rpc');
      expect(lines).toHaveLength(1);
      return lines[0]!;
    });
    expect(served).toMatchObject({ level: 'debug', method, status: 'OK', request_id: access['request_id'] });
    for (const { printed } of [gateway, ...users]) expect(printed).not.toMatch(/top-secret|token=/);
    expect([...collector.authorizations]).toEqual(['Bearer top-secret']);
  });

  it('shows each attempt where an instance dies under it', async () => {
    const [first, second] = users as [AppProcess, AppProcess];
    first.freeze(true);
    // Enough that some of them are sent to the frozen one, and wait there.
    const asked = Array.from({ length: 8 }, () => ask('/users/alice'));
    await eventually(async () => {
      const { targets } = (await (await fetch(`${gateway.ready.admin}/mesh`)).json()) as {
        targets: { peers: { address: string; inFlight: number }[] }[];
      };
      return targets[0]!.peers.some(({ address, inFlight }) => address === first.ready.grpc && inFlight > 0);
    });
    await first.end('SIGKILL');
    const answers = await Promise.all(asked);
    expect(answers.every(({ text }) => text.includes(second.ready.id))).toBe(true);

    const traces = await eventually(() => {
      const moved = answers
        .map(({ traceId }) => collector.trace(traceId))
        .filter((spans) => spans.filter(({ kind }) => kind === CLIENT).length === 2);
      expect(moved.length).toBeGreaterThan(0);
      return moved;
    }, SENT);
    for (const spans of traces) {
      const policies = spans.find(({ name }) => name === 'users.get')!;
      expect(policies.events).toMatchObject([{ name: 'moved' }]);
      const attempts = childrenOf(spans, policies);
      expect(attempts.map(({ attributes }) => attributes['rpc.response.status_code']).toSorted()).toEqual([
        'OK',
        'UNAVAILABLE',
      ]);
      expect(attempts.map(({ attributes }) => attributes['network.peer.address'])).toEqual(
        expect.arrayContaining([first.ready.grpc, second.ready.grpc]),
      );
    }
  });

  it('shows what the policies decide when nobody is left, and the breaker that opens', async () => {
    await users[1]!.end('SIGKILL');
    const answers: Awaited<ReturnType<typeof ask>>[] = [];
    await eventually(async () => {
      answers.push(await ask('/users/alice'));
      const { resilience } = (await (await fetch(`${gateway.ready.admin}/mesh`)).json()) as {
        resilience: Record<string, { breaker: string }>;
      };
      return resilience['users.get']!.breaker === 'open';
    });
    answers.push(await ask('/users/alice'));
    expect(answers.at(-1)).toMatchObject({ status: 200 });
    expect(answers.at(-1)!.text).toContain('default user');
    const spans = await eventually(() => {
      const last = collector.trace(answers.at(-1)!.traceId);
      expect(last).toHaveLength(2);
      return last;
    }, SENT);
    const policies = only(spans, INTERNAL, 'gateway');
    expect(policies.attributes).toEqual({ 'holdfast.outcome': 'fallback' });
    expect(policies.events).toEqual([
      { name: 'refused', attributes: { name: 'users.get', by: 'open' } },
      { name: 'fell_back', attributes: { name: 'users.get', instead_of: 'open' } },
    ]);
    const opened = answers.flatMap(({ traceId }) => collector.trace(traceId)).flatMap(({ events }) => events);
    expect(opened.filter(({ name }) => name === 'opened')).toHaveLength(1);
    expect(gateway.printed).toContain('users.get keeps failing: its breaker is open');
  });

  it('is sent before the process ends', async () => {
    const { traceId } = await ask('/users/alice');
    expect(await gateway.end('SIGTERM')).toBe(0);
    expect(collector.trace(traceId).map(({ kind }) => kind)).toEqual(expect.arrayContaining([SERVER, INTERNAL]));
  });

  it('holds nothing up where the collector does not take it, which one line says', async () => {
    collector.down = true;
    await using alone = await AppProcess.start(main('gateway'), {
      cwd: folder,
      env: {
        REGISTRY_URL: `file:${join(folder, 'registry')}`,
        SNAPSHOT_DIR: join(folder, 'snapshots'),
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        DRAIN_MS: '1000',
      },
    });
    for (let n = 0; n < 20; n++) expect((await fetch(`${alone.ready.http}/users/alice`)).status).toBe(200);
    await eventually(() => alone.printed.includes('takes no traces'), { ...SENT, withinMs: 40_000 });
    expect((await fetch(`${alone.ready.http}/users/alice`)).status).toBe(200);
    const started = performance.now();
    expect(await alone.end('SIGTERM')).toBe(0);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(alone.printed.match(/takes no traces/g)).toHaveLength(1);
  });
});
