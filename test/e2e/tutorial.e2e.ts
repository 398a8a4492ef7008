import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Reader } from './reader.js';
import { blocksOf, shows } from './tutorial-blocks.js';

const blocks = blocksOf(readFileSync(join(import.meta.dirname, '../../docs/tutorial.md'), 'utf8'));

/** Whether `program` is here, and does something: without its daemon, docker does not. */
function available(program: string): boolean {
  try {
    execFileSync(program, program === 'docker' ? ['info'] : ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const seconds = (from: number) => ((performance.now() - from) / 1_000).toFixed(1);

describe('the tutorial, from an empty folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tutorial-'));
  const began = performance.now();
  let reader: Reader;
  let stuckAt: number | undefined;

  beforeAll(async () => {
    reader = await Reader.sitDown(folder);
  });
  afterAll(async () => {
    await reader.leave();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const block of blocks) {
    const missing = block.needs !== undefined && !available(block.needs);
    if (missing) console.warn(`tutorial: line ${block.line} is left out, for there is no ${block.needs} here.`);
    it.skipIf(missing)(`line ${block.line} ${block.does}: ${block.text.trim().split('\n')[0]}`, async ({ skip }) => {
      if (stuckAt !== undefined) skip(`The reader is stuck in line ${stuckAt}.`);
      stuckAt = block.line;
      const start = performance.now();
      expect(await reader.follow(block)).toBe('as the page says');
      stuckAt = undefined;
      if (block.does !== 'run' && block.does !== 'serve') return;
      console.log(`tutorial: line ${block.line} took ${seconds(start)} s; ${seconds(began)} s since the start`);
    });
  }
});

describe('what a page shows', () => {
  it('is compared line by line, but for what may differ', () => {
    const output = 'first\n{"name":"alice","servedBy":"user-service-1f0c"}\nlast\n';
    expect(shows(output, '{"name":"alice","servedBy":"user-service-…"}\n')).toBe(true);
    expect(shows(output, 'first\n…\nlast\n')).toBe(true);
    expect(shows(output, '{"name":"bob","servedBy":"…"}\n')).toBe(false);
    expect(shows(output, '{"name":"alice"\n')).toBe(false);
    expect(shows(output, 'first\nlast\n')).toBe(false);
  });

  it('must be in a language that says what to do', () => {
    expect(() => blocksOf('```ts\nlet a;\n```\n')).toThrow('line 1 is "ts"');
    expect(blocksOf('a\n```sh needs docker\ndocker ps\n```\n')).toMatchObject([
      { line: 2, does: 'run', needs: 'docker' },
    ]);
  });
});
