import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { StartupError } from '@holdfast/core';

/**
 * Gives the app the link in `node_modules` that `npm install` would: the lock file has its entries already, so nothing has to be asked
 * of a registry.
 */
export function linkApp(root: string, app: string): void {
  const scope = join(root, 'node_modules/@holdfast');
  const link = join(scope, app);
  if (existsSync(scope) && !existsSync(link)) symlinkSync(join('../../apps', app), link, 'junction');
}

/**
 * Runs a script of the repository's own.
 * @throws StartupError with what it printed, where it fails
 */
export function runScript(root: string, script: string): void {
  const { status, stdout, stderr, error } = spawnSync('npm', ['run', '--silent', script], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status === 0) return;
  const printed = [stdout, stderr].join('').trim();
  throw new StartupError(
    `${printed ? `${printed}\n` : ''}Everything was written, but npm run ${script} failed${error ? ` (${error.message})` : ''}: mend that, and then npm run ${script}.`,
  );
}
