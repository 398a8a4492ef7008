import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backendAvailable, requireBinary } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseOptions } from '../tools/src/config/options.js';
import { read } from './deployment/manifests.js';
import { unknownSettings } from './deployment/settings.js';

const root = join(import.meta.dirname, '..');
const page = read('docs/operations.md');
const prose = page.replaceAll(/^```[^]*?^```$/gm, '');
const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, span]) => span!.replaceAll(/\s+/g, ' '));
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].flatMap(([, text]) =>
    text!.trimEnd().split('\n'),
  );
const commands = [...blocks('sh'), ...spans].map((line) => line.replace(/ +#.*/, ''));
const apps = readdirSync(join(root, 'apps'));

interface Alert {
  readonly alert?: string;
  readonly annotations?: { readonly runbook_url?: string };
}

const rules = (
  parse(read('deploy/observability/prometheus/rules.yaml')) as { groups: { rules: Alert[] }[] }
).groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);

describe('docs/operations.md', () => {
  it('has a section for each alert, and no others, each with its four answers', () => {
    const [, part = ''] = /^## Alerts\n([^]*?)^## /m.exec(page) ?? [];
    const sections = part.split(/^### /m).slice(1);
    const names = sections.map((section) => /^<a id="(\w+)"><\/a>\1\n/.exec(section)?.[1]);
    expect(names).toEqual([...new Set(alerts.map(({ alert }) => alert))]);
    for (const section of sections) {
      expect([...section.matchAll(/^\*\*([^*]+)\*\*/gm)].map(([, word]) => word)).toEqual([
        'Means:',
        'Look:',
        'Do:',
        'Over when',
      ]);
    }
  });

  it('is what every alert names as its runbook', () => {
    const runbooks = alerts.map(({ annotations }) => annotations?.runbook_url);
    expect(runbooks).toEqual(alerts.map(({ alert }) => `docs/operations.md#${alert}`));
  });

  it('names metrics that there are', () => {
    const asked = [...page.matchAll(/\b(?:holdfast_|http_server_|grpc_(?:client|server)_|nodejs_)\w+/g)].map(([name]) =>
      name.replace(/_(?:bucket|count|sum)$/, ''),
    );
    const labels = new Set(['nodejs_eventloop_state']);
    // That page is compared with what processes export.
    const told = read('docs/observability.md');
    expect(asked.length).toBeGreaterThan(30);
    expect(asked.filter((name) => !labels.has(name) && !told.includes(`\`${name}\``))).toEqual([]);
  });

  it.skipIf(!backendAvailable('promtool'))('has queries that Prometheus can read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-queries-'));
    try {
      const queries = blocks('promql');
      expect(queries.length).toBeGreaterThan(20);
      const file = {
        groups: [{ name: 'page', rules: queries.map((expr, n) => ({ record: `page:query_${n}`, expr })) }],
      };
      writeFileSync(join(folder, 'rules.yaml'), JSON.stringify(file));
      const said = execFileSync(requireBinary('promtool'), ['check', 'rules', join(folder, 'rules.yaml')]).toString();
      expect(said).toContain(`SUCCESS: ${queries.length} rules found`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('quotes lines that the code logs', () => {
    const code = ['libs', 'apps'].flatMap(sourcesOf).join('\n');
    const lines = [...blocks('log'), ...spans.filter((span) => /^(?:ERROR|WARN|INFO) \[/.test(span))];
    expect(lines.length).toBeGreaterThan(15);
    const strays = lines.flatMap((line) => {
      const [, context, text = ''] = /^(?:ERROR|WARN|INFO) \[(\w+)\] (.*)$/.exec(line) ?? [];
      const logs = [`new Logger('${context}')`, `new Logger(${context}.name)`, `'${context}',\n`];
      if (!logs.some((logger) => code.includes(logger))) return [line];
      // An access line is made of nothing but values.
      return context === 'Http' || partsOf(text).every((part) => code.includes(part)) ? [] : [line];
    });
    const [, reasons = ''] = /the `why` of each in `\/mesh`: ([^.]*)\./.exec(page) ?? [];
    const whys = [...reasons.matchAll(/`([^`]+)`/g)].map(([, why]) => why!.replace(/^\d/, '…'));
    expect(whys.length).toBeGreaterThan(4);
    strays.push(...whys.filter((why) => !partsOf(why).every((part) => code.includes(part))));
    expect(strays).toEqual([]);
  });

  it('names scripts, and commands of npm run config that it takes', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = commands.flatMap((line) => [...line.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1]!));
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
    const config = commands
      .filter((line) => line.startsWith('npm run config --'))
      .map((line) => line.split(' ').slice(4));
    expect(config.length).toBeGreaterThan(10);
    for (const args of config) {
      const { command } = parseOptions(args, {});
      expect(apps, args.join(' ')).toContain('service' in command ? command.service : undefined);
    }
  });

  it('names keys of the configuration that there are', () => {
    const tables = read('docs/config.md');
    const known = [...tables.matchAll(/^\| `([\w.<>-]+)` \|/gm)].map(
      ([, key]) => new RegExp(`^${key!.replaceAll('.', '\\.').replaceAll(/<\w+>/g, '[\\w.<>-]+')}$`),
    );
    const words = [...spans, ...blocks('sh')].flatMap((text) =>
      [...text.matchAll(/(?<![\w./-])(?:resilience|rpc|rateLimit|edge|log|greeting)\.[\w.<>-]+/g)].map(([key]) => key),
    );
    expect(words.length).toBeGreaterThan(10);
    expect(words.filter((key) => !known.some((pattern) => pattern.test(key)))).toEqual([]);
  });

  it('names files, settings, deployments and acts that there are', () => {
    const paths = [...spans, ...commands].flatMap((text) =>
      [...text.matchAll(/(?<![\w/.-])(?:test|deploy|k8s|docs|libs|apps)\/[\w./-]*\w/g)].map(([path]) => path),
    );
    expect(paths.length).toBeGreaterThan(4);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const settings = spans.filter((span) => /^[A-Z]+(?:_[A-Z]+)+$/.test(span));
    expect(settings.length).toBeGreaterThan(5);
    expect(unknownSettings('user-service', settings)).toEqual([]);
    const deployments = commands.flatMap((line) =>
      [...line.matchAll(/deployment\/([\w-]+)/g)].map((match) => match[1]!),
    );
    expect(deployments.filter((name) => !apps.includes(name))).toEqual([]);
    const [, namespace] = /^namespace: (\S+)$/m.exec(read('k8s/base/kustomization.yaml')) ?? [];
    const asked = commands.filter((line) => line.startsWith('kubectl'));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((line) => !line.startsWith(`kubectl --namespace ${namespace} `))).toEqual([]);
    const acts = [...page.matchAll(/\bactions\/(\w+)/g)].map(([, act]) => act!);
    const console = read('libs/console/src/console.controller.ts');
    expect(acts.filter((act) => !console.includes(`@Post('actions/${act}')`))).toEqual([]);
  });
});

/** What stands in a quoted line whatever it is about; the full stop at its end may be another's. */
function partsOf(text: string): readonly string[] {
  return text.split('…').map((part) => part.trim().replace(/\.$/, ''));
}

/** The sources below `folder` that run, as texts. */
function sourcesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/src\/.*(?<!\.spec)\.ts$/.test(name))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));
}
