import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { openConfigDriver } from '@holdfast/config';
import { systemClock } from '@holdfast/core';
import { backendAvailable, eventually, freePort, withConsul, withEtcd, type Backend } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, '../../tools/dist/config/main.js');
const me = `${userInfo().username}@${hostname()}`;

interface Store {
  readonly kind: string;
  open(folder: string): Promise<{ url: string; backend?: Backend }>;
}

const file: Store = { kind: 'file', open: async (folder) => ({ url: `file:${join(folder, 'holdfast.yaml')}` }) };
const etcd: Store = {
  kind: 'etcd',
  async open() {
    const backend = await withEtcd();
    return { url: `${backend.url}/config`, backend };
  },
};
const consul: Store = {
  kind: 'consul',
  async open() {
    const backend = await withConsul();
    return { url: `${backend.url}/config`, backend };
  },
};
// A registry that is not there is left out, loudly, unless it is required.
const stores: readonly Store[] = [
  file,
  ...(backendAvailable('etcd') ? [etcd] : []),
  ...(backendAvailable('consul') ? [consul] : []),
];

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run config` as a process of its own. */
class Cli {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>>, cwd: string) {
    this.child = spawn(process.execPath, [script, ...args], { cwd, env: { ...process.env, ...env } });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 60_000);
    this.ended = new Promise((resolve) =>
      this.child.once('close', (code) => {
        clearTimeout(timer);
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      }),
    );
  }
}

/** How each is judged is the same for every store: the others have a look at the first two. */
const refusals: readonly (readonly [string, readonly string[], string])[] = [
  [
    'an unknown key',
    ['set', 'gateway', 'resilience.users.gte.timeout', '1s'],
    'did you mean resilience.users.get.timeout?',
  ],
  ['a bad value', ['set', 'gateway', 'resilience.users.get.timeout', '2h'], '1ms to 60m'],
  [
    'a bad value beside a good one',
    ['set', 'gateway', 'log.level', 'error', 'rpc.user-service.balancer', 'dice'],
    'rpc.user-service.balancer',
  ],
  [
    'what does not go together',
    ['set', 'gateway', 'resilience.users.get.attemptTimeout', '5s'],
    'must not be above timeout',
  ],
  ['an unknown service', ['set', 'gatway', 'log.level', 'warn'], 'there are gateway, user-service'],
  ['an unknown command', ['put', 'gateway'], 'write get, set'],
  ['a revision that is none', ['rollback', 'gateway', '77'], 'There is no revision 77'],
  ['a document that is not there', ['set', 'gateway', '--file', 'nosuch.yaml'], 'nosuch.yaml cannot be read (ENOENT)'],
  ['a bad value, dry', ['set', 'gateway', 'log.level', 'loud', '--dry-run'], 'debug, log, warn or error'],
];

describe.each(stores)('npm run config, on $kind', (store) => {
  let folder: string;
  let url: string;
  let backend: Backend | undefined;

  const start = (args: readonly string[]) => new Cli(args, { CONFIG_URL: url }, folder);
  const run = (...args: string[]) => start(args).ended;
  const good = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return stdout.trimEnd().split('\n');
  };
  /** Everything that the store has for a service. */
  const entries = async (service: string) => {
    const driver = await openConfigDriver(url, { clock: systemClock, random: Math.random });
    const reading = await driver.read(service, undefined, new AbortController().signal);
    await driver.close();
    return Object.fromEntries(reading.entries);
  };
  const history = async (service: string) => {
    const [answer] = await good('history', service, '--json');
    return (JSON.parse(answer!) as { revisions: readonly { revision: number; by: string }[] }).revisions;
  };
  const refused = async (...args: string[]) => {
    const before = await entries('gateway');
    const { code, stdout, stderr } = await run(...args);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^[^\n]+[.?]\n$/);
    expect(await entries('gateway')).toEqual(before);
    return stderr;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-config-'));
    ({ url, backend } = await store.open(folder));
  });
  afterAll(async () => {
    await backend?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('sets, shows, lists and takes back', async () => {
    expect(await good('set', 'gateway', 'resilience.users.get.timeout', '800ms', 'log.level', 'warn')).toEqual([
      expect.stringMatching(/^gateway, in .*:$/),
      '  log.level                     log → warn',
      '  resilience.users.get.timeout  1s → 800ms',
      'Written as revision 1.',
    ]);
    expect(await good('get', 'gateway', 'resilience.users.get.timeout')).toEqual(['800ms']);
    expect((await good('set', 'gateway', 'log.level', 'debug')).at(-1)).toBe('Written as revision 2.');
    expect((await good('rollback', 'gateway', '1', '--dry-run')).at(-1)).toMatch(/dry run/);
    expect(await good('rollback', 'gateway', '1')).toContain('  log.level  debug → warn');
    expect(await good('unset', 'gateway', 'resilience.users.get')).toContain(
      '  resilience.users.get.timeout  800ms → 1s',
    );
    const revisions = await history('gateway');
    expect(revisions.map(({ revision, by }) => [revision, by])).toEqual([1, 2, 3, 4].map((n) => [n, me]));
    expect(await good('diff', 'gateway')).toEqual(['  log.level  log → warn']);
  });

  it('takes a whole document, and goes back from it', async () => {
    writeFileSync(join(folder, 'doc.yaml'), 'greeting:\n  template: "Moin, {name}" # from the file\n');
    await good('set', 'user-service', 'greeting.template', 'Hi', 'log.level', 'warn');
    const changes = ['  greeting.template  Hi → Moin, {name}', '  log.level          warn → log'];
    expect(await good('set', 'user-service', '--file', 'doc.yaml')).toEqual(expect.arrayContaining(changes));
    await good('rollback', 'user-service', '1');
    const [settings] = await good('get', 'user-service', '--json');
    const { values } = JSON.parse(settings!) as { values: { key: string; value: unknown }[] };
    expect(values).toMatchObject([
      { key: 'log.level', value: 'warn' },
      { key: 'greeting.template', value: 'Hi' },
    ]);
  });

  it.each(store === file ? refusals : refusals.slice(0, 2))(
    'says in one sentence what is wrong, and writes nothing: %s',
    async (_, args, reason) => {
      expect(await refused(...args)).toContain(reason);
    },
  );

  it('watches until Ctrl-C', async () => {
    const watch = start(['watch', 'user-service']);
    let n = 0;
    // It has no line for "I am there": changes are made until it tells of one.
    await eventually(
      async () => {
        await good('set', 'user-service', 'greeting.template', `Hello ${++n}`);
        return watch.stdout.includes('\n');
      },
      { withinMs: 60_000 },
    );
    expect(watch.stdout).toMatch(/^\S+Z  user-service  greeting\.template  .+ → Hello \d+  \S.*\n/);
    watch.child.kill('SIGINT');
    const { code, stderr } = await watch.ended;
    expect([code, stderr]).toEqual([0, '']);
  });

  it('loses nothing when many write at once', async () => {
    const keys = ['queue', 'maxWait', 'limit'].map((option) => `resilience.users.create.bulkhead.${option}`);
    const before = (await history('gateway')).length;
    const written = await Promise.all(keys.map((key, index) => run('set', 'gateway', key, String(index + 20))));
    expect(written.map(({ code, stderr }) => [code, stderr])).toEqual(keys.map(() => [0, '']));
    expect(await good('get', 'gateway', 'resilience.users.create.bulkhead', '--json')).toEqual([
      expect.stringMatching(/"value":22.*"value":20.*"value":21/),
    ]);
    expect(await history('gateway')).toHaveLength(before + keys.length);
  });

  it.skipIf(store.kind === 'file')('says so in one sentence when the store is down', async () => {
    const down = `${store.kind}://127.0.0.1:${await freePort()}/config`;
    for (const args of [
      ['get', 'gateway'],
      ['set', 'gateway', 'log.level', 'warn'],
      ['history', 'gateway'],
    ]) {
      const { code, stdout, stderr } = await run(...args, '--url', down);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^[^\n]*127\.0\.0\.1[^\n]*\.\n$/);
    }
  });

  it.runIf(store.kind === 'file')('leaves a broken file to whoever broke it', async () => {
    const path = join(folder, 'broken.yaml');
    writeFileSync(path, 'gateway: [\n');
    const { code, stderr } = await run('set', 'gateway', 'log.level', 'warn', '--url', `file:${path}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^[^\n]*repaired by hand[^\n]*\.\n$/);
    expect(readFileSync(path, 'utf8')).toBe('gateway: [\n');
    expect(existsSync(`${path}.history.json`)).toBe(false);
  });
});
