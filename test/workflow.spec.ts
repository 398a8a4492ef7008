import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { read } from './deployment/manifests.js';

const root = join(import.meta.dirname, '..');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}

interface Job {
  readonly 'timeout-minutes': number;
  readonly permissions?: Record<string, string>;
  readonly strategy?: { readonly matrix: Record<string, readonly (string | number)[]> };
  readonly container?: { readonly image: string };
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: Record<string, unknown>;
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, Job>;
}

/** The fields that these workflows use, and no others: a misspelt one is ignored by none but the reader. */
const step = {
  type: 'object',
  additionalProperties: false,
  oneOf: [{ required: ['uses'] }, { required: ['run'] }],
  properties: {
    name: { type: 'string' },
    uses: { type: 'string', pattern: '^[\\w-]+/[\\w-]+@(v\\d+|[0-9a-f]{40})$' },
    run: { type: 'string' },
    with: { type: 'object' },
    env: { type: 'object', additionalProperties: { type: 'string' } },
  },
};
const job = {
  type: 'object',
  additionalProperties: false,
  required: ['runs-on', 'timeout-minutes', 'steps'],
  properties: {
    name: { type: 'string' },
    'runs-on': { const: 'ubuntu-latest' },
    'timeout-minutes': { type: 'integer', minimum: 1, maximum: 60 },
    strategy: {
      type: 'object',
      additionalProperties: false,
      required: ['matrix'],
      properties: {
        'fail-fast': { type: 'boolean' },
        matrix: { type: 'object', additionalProperties: { type: 'array', minItems: 1 } },
      },
    },
    container: {
      type: 'object',
      additionalProperties: false,
      required: ['image'],
      properties: { image: { type: 'string' }, options: { type: 'string' } },
    },
    permissions: { type: 'object' },
    steps: { type: 'array', minItems: 1, items: step },
  },
};
const workflow = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'on', 'permissions', 'concurrency', 'jobs'],
  properties: {
    name: { type: 'string' },
    on: { type: 'object' },
    permissions: { type: 'object' },
    concurrency: {
      type: 'object',
      additionalProperties: false,
      required: ['group', 'cancel-in-progress'],
      properties: { group: { type: 'string' }, 'cancel-in-progress': { const: true } },
    },
    jobs: { type: 'object', minProperties: 1, additionalProperties: job },
  },
};

const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);

describe.each(readdirSync(join(root, '.github/workflows')))('.github/workflows/%s', (name) => {
  const file = parse(read(`.github/workflows/${name}`)) as Workflow;
  const jobs = Object.values(file.jobs);
  const commands = jobs.flatMap(({ steps }) => steps.flatMap(({ run = '' }) => run));

  it('has the fields that a workflow has, and a time limit for every job', () => {
    const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false });
    expect(ajv.validate(workflow, file), ajv.errorsText()).toBe(true);
  });

  it('may read the sources, and nothing else', () => {
    expect(file.permissions).toEqual({ contents: 'read' });
    expect(jobs.filter(({ permissions }) => permissions)).toEqual([]);
    const checkouts = jobs.flatMap(({ steps }) => steps.filter(({ uses = '' }) => uses.startsWith('actions/checkout')));
    expect(checkouts).toHaveLength(jobs.length);
    for (const checkout of checkouts) expect(checkout.with).toEqual({ 'persist-credentials': false });
    // Such a run would have the rights of the repository under the code of a stranger.
    expect(Object.keys(file.on)).not.toContain('pull_request_target');
  });

  it('names scripts, files and folders that there are', () => {
    const named = commands.flatMap((command) =>
      [...command.matchAll(/npm (?:run |(?=test\b))([\w:]+)/g)].map((match) => match[1]!),
    );
    expect(named.filter((script) => !scripts.includes(script))).toEqual([]);
    const paths = [...commands.join('\n').matchAll(/\b(?:test|k8s|tools|libs|apps)\/[\w./-]*\w/g)].map(
      ([path]) => path,
    );
    const files = jobs.flatMap(({ steps }) => steps.flatMap((one) => one.with?.['node-version-file'] ?? []));
    expect([...paths, ...files].filter((path) => !existsSync(join(root, String(path))))).toEqual([]);
  });
});

describe('.github/workflows/ci.yaml', () => {
  const { jobs } = parse(read('.github/workflows/ci.yaml')) as Workflow;

  it('checks and tests on every even Node that `engines` admits, and on the one that is worked with', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const [, oldest] = /^>=(\d+)\./.exec(engines.node) ?? [];
    const nodes = jobs['check']!.strategy!.matrix['node']!.map(Number);
    expect(nodes[0]).toBe(Number(oldest));
    expect(nodes).toContain(Number(read('.nvmrc')));
    expect(nodes).toEqual(nodes.map((_, index) => nodes[0]! + 2 * index));
    const commands = jobs['check']!.steps.map(({ run }) => run);
    expect(commands.filter(Boolean)).toEqual(['npm ci', 'npm run backends', 'npm run check:static', 'npm test']);
  });

  it('makes the image of every app', () => {
    expect(jobs['image']!.strategy!.matrix['app']).toEqual(readdirSync(join(root, 'apps')).toSorted());
  });

  it('renders every overlay', () => {
    const commands = jobs['manifests']!.steps.map(({ run }) => run).join('\n');
    expect(commands).toContain('for folder in k8s/base k8s/overlays/*; do kubectl kustomize "$folder"');
  });
});

describe('.github/dependabot.yml', () => {
  it('follows all that is pinned here', () => {
    const { updates } = parse(read('.github/dependabot.yml')) as { updates: { 'package-ecosystem': string }[] };
    expect(updates.map((update) => update['package-ecosystem'])).toEqual(['npm', 'github-actions', 'docker']);
  });
});
