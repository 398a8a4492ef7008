import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { Telemetry } from '@holdfast/telemetry';
import { Mesh } from '@holdfast/testing';
import { Injectable, Module } from '@nestjs/common';
import { Counter } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule as Gateway } from '../apps/gateway/src/app.module.js';
import { AppModule as UserService } from '../apps/user-service/src/app.module.js';
import { settings } from '../apps/user-service/src/settings.js';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

@Injectable()
class Signups {
  constructor(telemetry: Telemetry) {
    new Counter({ name: 'signups_total', help: 'Users who signed up.', registers: [telemetry.metrics] }).inc();
  }
}

@Module({ providers: [Signups] })
class ShopModule {
  readonly name = 'ShopModule';
}

/** A metric as a process exports it. */
interface Exported {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

function exportedBy(text: string): readonly Exported[] {
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map((match) => [match[1]!, match[2]!]));
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => {
    const [, name, type] = match as unknown as [string, string, string];
    return { name: type === 'counter' ? `${name}_total` : name, type, help: helps.get(name) ?? '' };
  });
}

/** The names under which a query finds it. */
function queryNames({ name, type }: Exported): readonly string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

describe('what is written about metrics is what processes export', () => {
  let mesh: Mesh;
  let metrics: readonly Exported[];
  let text: string;

  beforeAll(async () => {
    mesh = await Mesh.open();
    const env = { DATABASE_URL: `file:${join(mesh.path, 'users.db')}` };
    await mesh.start(UserService, { name: 'user-service', rpc: [UserServiceDefinition], settings, env });
    const gateway = await mesh.start(Gateway, { name: 'gateway', http: true });
    await (await fetch(`${gateway.http}/users/alice`)).text();
    text = await (await fetch(`${gateway.admin}/metrics`)).text();
    metrics = exportedBy(text);
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  it('the table in docs/observability.md', () => {
    const ours = metrics.filter(({ name }) => /^(holdfast_|http_|grpc_|nodejs_eventloop_time)/.test(name));
    const rows = ours.map(({ name, type, help }) => {
      const labels = new Set([...text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, 'gm'))].flatMap((line) => [...line[1]!.matchAll(/(\w+)="/g)].map((label) => label[1]!))); // prettier-ignore
      labels.delete('le');
      return { name, type, help, labels: [...labels] };
    });
    const table = read('docs/observability.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/[`|]/g, '').trim()));
    expect(table.map(([name, type, , help]) => `${name} ${type}: ${help}`)).toEqual(
      rows.map(({ name, type, help }) => `${name} ${type}: ${help}`),
    );
    for (const { name, labels } of rows) {
      const told = table.find(([known]) => known === name)![2]!.split(', ');
      // One that has no value yet shows no labels.
      if (labels.length > 0) expect([name, ...told]).toEqual([name, ...labels]);
    }
    expect(rows.length).toBeGreaterThan(30);
  });

  const queries = () => {
    const rules = read('deploy/observability/prometheus/rules.yaml');
    const dashboard = JSON.parse(read('deploy/observability/grafana/holdfast.json')) as {
      panels: { targets?: { expr: string }[] }[];
    };
    const ofRules = [...rules.matchAll(/expr: (?:>-\n)?((?:.*\n?)(?:^ {10}\S.*\n?)*)/gm)].map((match) => match[1]!);
    return { ofRules, ofDashboard: dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)) };
  };

  it('the names in the rules and on the dashboard', () => {
    const { ofRules, ofDashboard } = queries();
    expect(ofRules).toHaveLength([...read('deploy/observability/prometheus/rules.yaml').matchAll(/expr:/g)].length);
    expect(ofDashboard.length).toBeGreaterThan(20);
    const known = new Set(metrics.flatMap(queryNames));
    const recorded = new Set([...read('deploy/observability/prometheus/rules.yaml').matchAll(/record: (\S+)/g)].map((match) => match[1]!)); // prettier-ignore
    const asked = [...ofRules, ...ofDashboard].flatMap((expr) =>
      // A metric's name stands before its selector or range, or alone in brackets; labels stand in braces and after `by`.
      [...expr.replaceAll(/\b(?:by|ignoring|without) \([^)]*\)|\{[^}]*\}|\[[^\]]*\]/g, '').matchAll(/\b[a-z]+[_:][\w:]+/g)] // prettier-ignore
        .map(([name]) => name)
        .filter((name) => !/^(histogram_quantile|max_over_time)$/.test(name)),
    );
    expect(asked.length).toBeGreaterThan(60);
    expect(asked.filter((name) => !known.has(name) && !recorded.has(name))).toEqual([]);
  });

  it('an app’s own metric, beside the platform’s', async () => {
    const shop = await mesh.start(ShopModule, { name: 'shop', http: true });
    const shown = await (await fetch(`${shop.admin}/metrics`)).text();
    expect(shown).toContain('signups_total 1\n');
    expect(shown).toContain('holdfast_ready 1\n');
  });

  it('an exemplar, where the caller’s trace is sampled', async () => {
    const gateway = await mesh.start(Gateway, { name: 'edge', http: true });
    const ask = async (flags: string, id: string) => {
      const traceparent = `00-${id.repeat(32)}-00f067aa0ba902b7-${flags}`;
      await (await fetch(`${gateway.http}/users/alice`, { headers: { traceparent } })).text();
    };
    await ask('00', 'a');
    await ask('01', 'b');
    await ask('00', 'c');
    const shown = await (await fetch(`${gateway.admin}/metrics`)).text();
    expect(shown).toContain(`# {trace_id="${'b'.repeat(32)}"}`);
    expect(shown).not.toMatch(/a{32}|c{32}/);
  });
});
