import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AppProcess,
  backendAvailable,
  eventually,
  requireBinary,
  withPrometheus,
  type Backend,
} from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const main = (app: string) => join(root, 'apps', app, 'dist/main.js');
const prometheusFolder = join(root, 'deploy/observability/prometheus');
const rules = join(prometheusFolder, 'rules.yaml');
const dashboard = JSON.parse(readFileSync(join(root, 'deploy/observability/grafana/holdfast.json'), 'utf8')) as {
  panels: { title: string; targets?: { expr: string }[] }[];
};
const addressOf = ({ ready }: AppProcess) => new URL(ready.admin).host;
const PATIENT = { withinMs: 60_000, everyMs: 200 };

describe.skipIf(!backendAvailable('promtool'))('promtool', () => {
  const promtool = (...args: string[]) =>
    execFileSync(requireBinary('promtool'), args, { cwd: prometheusFolder, encoding: 'utf8' });

  it('finds rules and configuration in order', () => {
    expect(promtool('check', 'rules', 'rules.yaml')).toContain('SUCCESS');
    expect(promtool('check', 'config', 'prometheus.yaml')).toContain('SUCCESS');
  });

  it('runs the unit tests of the rules', () => {
    expect(promtool('test', 'rules', 'rules.test.yaml')).toContain('SUCCESS');
  });

  it('every alert has a unit test in which it goes off', () => {
    const alerts = new Set([...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)/g)].map((match) => match[1]));
    const tests = readFileSync(join(prometheusFolder, 'rules.test.yaml'), 'utf8');
    const raised = new Set([...tests.matchAll(/alertname: (\w+)\s+exp_alerts:\s+-/g)].map((match) => match[1]));
    expect([...alerts].filter((alert) => !raised.has(alert))).toEqual([]);
    expect(alerts.size).toBeGreaterThan(8);
  });
});

describe.skipIf(!backendAvailable('prometheus'))('a real Prometheus', () => {
  let folder: string;
  let users: AppProcess;
  let gateway: AppProcess;
  let prometheus: Backend;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-metrics-'));
    const env = {
      REGISTRY_URL: `file:${join(folder, 'registry')}`,
      SNAPSHOT_DIR: join(folder, 'snapshots'),
      DATABASE_URL: `file:${join(folder, 'users.db')}`,
    };
    users = await AppProcess.start(main('user-service'), { cwd: folder, env });
    gateway = await AppProcess.start(main('gateway'), { cwd: folder, env });
    // The same rules, evaluated as often as this Prometheus scrapes.
    const quick = join(folder, 'rules.yaml');
    writeFileSync(quick, readFileSync(rules, 'utf8').replaceAll(/interval: \d+s/g, 'interval: 1s'));
    prometheus = await withPrometheus({
      targets: { gateway: [addressOf(gateway)], 'user-service': [addressOf(users)] },
      rules: [quick],
    });
  });
  afterAll(async () => {
    await prometheus.stop();
    await Promise.all([gateway, users].map((app) => app[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${prometheus.url}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  };
  const query = async (expr: string) => {
    const { result } = await get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expr)}`,
    );
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  };
  /** The queries of the dashboard that find nothing now. */
  const emptyPanels = async () => {
    const empty: string[] = [];
    for (const { title, targets = [] } of dashboard.panels) {
      for (const { expr } of targets) {
        const asked = expr.replaceAll('$__rate_interval', '30s').replaceAll('$job', '.+');
        expect(asked).not.toContain('$');
        if ((await query(asked)).length === 0) empty.push(`${title}: ${expr}`);
      }
    }
    return empty;
  };
  const ask = (path: string, init?: RequestInit) => fetch(`${gateway.ready.http}${path}`, init);
  const create = (name: string) =>
    ask('/users', {
      method: 'POST',
      body: JSON.stringify({ name }),
      headers: { 'content-type': 'application/json' },
    });

  it('scrapes every process', async () => {
    await eventually(async () => {
      const { activeTargets } = await get<{ activeTargets: { health: string; lastError: string }[] }>('targets');
      expect(activeTargets.map(({ health, lastError }) => ({ health, lastError }))).toEqual([
        { health: 'up', lastError: '' },
        { health: 'up', lastError: '' },
      ]);
    }, PATIENT);
  });

  it('counts what was asked, at the edge, at the client and at the server, and no path of a stranger', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    for (let n = 0; n < 10; n++) await (await ask('/users/alice', { headers: { traceparent } })).text();
    for (let n = 0; n < 30; n++) await (await ask(`/strange/${n}?secret=${n}`, { method: n % 2 ? 'GET' : 'PROPFIND' })).text(); // prettier-ignore
    await (await create('')).text();
    const count = async (expr: string) => (await query(expr))[0]?.value;
    await eventually(async () => {
      const method = 'grpc_method="user.v1.UserService/GetUser",grpc_status="OK"';
      const route = 'http_route="/users/:name",http_request_method="GET",http_response_status_code="200"';
      expect(await count(`http_server_request_duration_seconds_count{${route}}`)).toBe(10);
      expect(await count(`http_server_request_duration_seconds_bucket{${route},le="+Inf"}`)).toBe(10);
      expect(await count(`grpc_client_call_duration_seconds_count{${method},grpc_target="user-service"}`)).toBe(10);
      expect(await count(`grpc_client_attempt_duration_seconds_count{${method},grpc_target="user-service"}`)).toBe(10);
      expect(await count(`grpc_server_call_duration_seconds_count{${method}}`)).toBe(10);
      expect(await count('holdfast_calls_total{name="users.get",outcome="ok"}')).toBe(10);
      // The name that was refused was refused by the service, so it was an attempt, too.
      expect(await count('sum(grpc_client_attempt_duration_seconds_count)')).toBe(11);
      expect(await count('sum(holdfast_peer_picks_total{target="user-service"})')).toBe(11);
      expect(await count('sum(http_server_request_duration_seconds_count{http_route="unmatched"})')).toBe(30);
    }, PATIENT);
    const methods = await query('sum by (http_request_method) (http_server_request_duration_seconds_count)');
    expect(methods.map(({ metric }) => metric['http_request_method']).toSorted()).toEqual(['GET', 'POST', '_OTHER']);
    const exposed = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
    expect(exposed).not.toMatch(/strange|secret|PROPFIND/);
  });

  it('finds the trace of a request beside its bucket', async () => {
    await eventually(async () => {
      const now = Date.now() / 1_000;
      const exemplars = await get<{ exemplars: { labels: Record<string, string> }[] }[]>(
        `query_exemplars?query=http_server_request_duration_seconds_bucket&start=${now - 300}&end=${now + 60}`,
      );
      const ids = exemplars.flatMap((series) => series.exemplars.map(({ labels }) => labels['trace_id']));
      expect(ids).toContain('4bf92f3577b34da6a3ce929d0e0e4736');
    }, PATIENT);
  });

  it('tells of a service that is gone: evaluates every rule, and every query of the dashboard', async () => {
    // Rates need two scrapes, and what the service served is to be seen before it is gone.
    const emptyBefore = await eventually(async () => {
      await (await ask('/users/alice')).text();
      const empty = await emptyPanels();
      expect(empty.filter((line) => /grpc_|holdfast_peer/.test(line) && !line.startsWith('Failed'))).toEqual([]);
      return empty;
    }, PATIENT);
    await users.end('SIGKILL');
    await eventually(async () => {
      await (await ask('/users/alice')).text();
      await (await create('zoe')).text();
      const states = await query('holdfast_breaker_state{name="users.get",state="open"}');
      return states[0]?.value === 1;
    }, PATIENT);

    await eventually(async () => {
      await (await create('zoe')).text();
      const { groups } = await get<{
        groups: { rules: { name: string; health: string; lastError?: string; state?: string }[] }[];
      }>('rules');
      const all = groups.flatMap((group) => group.rules);
      expect(all.filter(({ health }) => health !== 'ok')).toEqual([]);
      const due = all.filter(({ state }) => state === 'pending' || state === 'firing').map(({ name }) => name);
      expect(due).toEqual(
        expect.arrayContaining(['HoldfastErrorBudgetBurn', 'HoldfastBreakerOpen', 'HoldfastTargetWithoutInstances']),
      );
    }, PATIENT);
    expect((await query('holdfast:http_errors:ratio_rate5m{job="gateway"}'))[0]?.value).toBeGreaterThan(0.01);

    // What no name of the demo has: a retry policy and a rate limit.
    const expected = /holdfast_retry_budget|holdfast_rate_limit_tokens/;
    await eventually(async () => {
      await (await create('zoe')).text();
      const empty = await emptyPanels();
      expect(emptyBefore.filter((line) => empty.includes(line) && !expected.test(line))).toEqual([]);
    }, PATIENT);
  });
});
