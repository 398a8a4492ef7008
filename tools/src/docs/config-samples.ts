import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EditError, openConfigDriver } from '@holdfast/config';
import { StartupError, systemClock, type Clock } from '@holdfast/core';
import { run } from '../config/commands.js';
import { parseOptions } from '../config/options.js';

const FILE = 'config/holdfast.yaml';
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A day that comes out the same on every run. */
const clock: Clock = { ...systemClock, wallTime: () => Date.UTC(2026, 0, 5, 9, 30) };

/** What `npm run config` answers to each of `lines`, one after the other, on a copy of the repository's own file. */
export async function configSamples(lines: readonly string[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'));
  const path = join(folder, 'holdfast.yaml');
  cpSync(join(root, FILE), path);
  const driver = await openConfigDriver(`file:${path}`, { clock: systemClock, random: Math.random });
  const output: string[] = [];
  const say = (line: string) => void output.push(line.replaceAll(path, FILE));
  const deps = { drivers: [driver], by: 'ann@desk', clock, say, warn: say, interrupted: AbortSignal.abort() };
  try {
    for (const line of lines) {
      output.push(...(output.length > 0 ? [''] : []), `$ npm run config -- ${line}`);
      try {
        await run(parseOptions(wordsOf(line), {}), deps);
      } catch (error) {
        if (!(error instanceof StartupError || error instanceof EditError)) throw error;
        say(error.message);
      }
    }
  } finally {
    await driver.close();
    rmSync(folder, { recursive: true });
  }
  return output;
}

/** The words of a command line, as a shell takes it apart. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
