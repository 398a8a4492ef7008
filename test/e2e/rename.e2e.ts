import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, findBinary, freePort } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namesOf, type Names } from '../../tools/src/rename/names.js';
import { currentNames } from '../../tools/src/rename/plan.js';
import { readTree } from '../../tools/src/rename/tree.js';
import { cloneInstalled } from './clone.js';

const root = join(import.meta.dirname, '../..');
const before = currentNames(root);
// In pieces, since a name that is in the tree already is refused, and this file is.
const first = namesOf(['quartz', 'wren'].join('-'), ['Quartz', 'Wren'].join(' and '));
const second = namesOf(['zin', 'nia'].join(''));
/** Everything is built twice here, maybe beside other work. */
const WITHIN_MS = 600_000;

/** The specs that look at names, and some that run what has been renamed. */
const SAMPLE = [
  'architecture',
  'generated',
  'observability',
  'kubernetes',
  'compose',
  'operations',
  'links',
  'workflow',
]
  .map((name) => `test/${name}.spec.ts`)
  .concat('libs/core', 'libs/service', 'tools/src/rename');

describe('npm run rename', { timeout: WITHIN_MS }, () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'renamed-'));
    cloneInstalled(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (what: string, program: string, ...args: readonly string[]): Promise<string> => {
    const startedAt = performance.now();
    const options = {
      cwd: folder,
      timeout: WITHIN_MS,
      maxBuffer: 64 * 1_048_576,
      env: { ...process.env, NO_COLOR: '1' },
    };
    try {
      return (await promisify(execFile)(program, args, options)).stdout;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${what} failed:\n${stdout.slice(-6_000)}\n${stderr.slice(-6_000)}`, { cause: error });
    } finally {
      console.log(`${what}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
    }
  };
  const rename = (...args: readonly string[]) =>
    run(`rename ${args.join(' ')}`, 'npm', 'run', '--silent', 'rename', '--', ...args);

  it.each([
    ['a bad name', ['Sorrel Larch'], 'cannot be a name'],
    ['its own name', [before.kebab], `It is called ${before.kebab} already`],
    ['the scope of a dependency', ['nestjs'], '"nestjs" is a word in'],
    ['a word that means something else', ['user'], '"user" is a word in'],
    ['no name', [], 'rename needs a name'],
  ])('refuses %s with a sentence, and writes nothing', async (_, args, sentence) => {
    const untouched = readTree(folder, `.${before.kebab}`);
    await expect(rename(...args)).rejects.toThrow(sentence);
    expect(readTree(folder, `.${before.kebab}`)).toEqual(untouched);
  });

  it('refuses where there are changes that are not committed', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.test', ...args], {
        cwd: folder,
        stdio: 'ignore',
      });
    git('init');
    git('add', '.');
    git('commit', '--message', 'as it was');
    writeFileSync(join(folder, 'unsaved.md'), 'work\n');
    await expect(rename(first.kebab)).rejects.toThrow('There are changes that are not committed (?? unsaved.md)');
    rmSync(join(folder, 'unsaved.md'));
  });

  it('leaves no word of the old name, every checksum, and a repository that is checked, tested and run', async () => {
    const checksums = integrityOf(folder);
    console.log((await rename(first.kebab, '--name', first.title)).trimEnd());
    expect(leftovers(folder, before, first)).toEqual([]);
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(`Made from ${before.title} `);
    expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toContain('Copyright (c) 2026 the ');
    expect(integrityOf(folder)).toEqual(checksums);
    expect(checksums.length).toBeGreaterThan(400);
    await run('lock file', 'npm', 'ci', '--dry-run', '--offline', '--ignore-scripts', '--no-audit', '--no-fund');
    await run('check:static', 'npm', 'run', '--silent', 'check:static');
    await run('specs', 'npx', 'vitest', 'run', '--project', 'specs', ...SAMPLE);
    const promtool = findBinary('promtool');
    if (promtool) await run('rules', promtool, 'test', 'rules', 'deploy/observability/prometheus/rules.test.yaml');
    expect(await answerOf(folder)).toMatchObject({ name: 'alice' });
  });

  it('can be done again', async () => {
    await rename(second.kebab, '--force');
    expect(leftovers(folder, first, second)).toEqual([]);
    expect(leftovers(folder, before, second)).toEqual([]);
    expect(readFileSync(join(folder, 'README.md'), 'utf8').match(/^Made from .*/gm)).toEqual([
      expect.stringMatching(new RegExp(`^Made from ${before.title} \\d`)),
    ]);
    await run('contracts', 'npx', 'buf', 'lint');
    await run('specs', 'npx', 'vitest', 'run', '--project', 'specs', 'test/architecture.spec.ts');
  });
});

/**
 * Files that still have `old` in their path or text, be it within another word; lines that say where something comes
 * from do not count.
 */
function leftovers(folder: string, old: Names, now: Names): readonly string[] {
  const letters = new RegExp([old.kebab, old.snake, old.pascal, old.title].join('|'), 'i');
  const has = (text: string) =>
    text.split('\n').some((line) => letters.test(line) && !/^(?:Copyright|Made from) /.test(line));
  return readTree(folder, `.${now.kebab}`)
    .filter(
      ({ path, text }) =>
        has(path) || (!path.endsWith('.png') && has(text ?? readFileSync(join(folder, path), 'latin1'))),
    )
    .map(({ path }) => path);
}

/** The lock file's checksums, sorted. */
function integrityOf(folder: string): readonly string[] {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  return [...lock.matchAll(/"integrity": "([^"]+)"/g)].map(([, checksum]) => checksum!).toSorted();
}

/** What the mesh that `npm start` runs says about alice. */
async function answerOf(folder: string): Promise<unknown> {
  const startedAt = performance.now();
  const port = await freePort();
  const mesh = spawn(process.execPath, ['tools/dist/mesh/main.js', '--replicas', '1'], {
    cwd: folder,
    env: { ...process.env, PORT: String(port), DRAIN_MS: '500' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [mesh.stdout, mesh.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  try {
    return await eventually(
      async () => {
        const response = await fetch(`http://127.0.0.1:${port}/users/alice`).catch(() => undefined);
        expect(response?.status, printed).toBe(200);
        return response!.json();
      },
      { withinMs: 30_000, everyMs: 200 },
    );
  } finally {
    console.log(`mesh: 200 after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
    const ended = new Promise((resolve) => mesh.once('exit', resolve));
    mesh.kill('SIGTERM');
    await ended;
  }
}
