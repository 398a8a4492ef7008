import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Puts into `folder` what a clone of this working tree would have: files that git tracks or would, and nothing built. */
export function clone(folder: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const path of listed.toString().split('\0')) {
    // A file may be deleted and not yet forgotten by git.
    if (path && existsSync(join(root, path))) copy(path, folder);
  }
}

/**
 * A clone with what `npm ci`, `npm run backends` and a first `npm start` leave: modules, each a link to this repository's but for
 * the workspaces, which are the clone's own; the backends; and what is built.
 */
export function cloneInstalled(folder: string): void {
  clone(folder);
  const modules = join(root, 'node_modules');
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  for (const name of readdirSync(modules)) {
    if (name === '.bin' || !/^(?:\.|@holdfast$)/.test(name)) symlinkSync(join(modules, name), join(folder, 'node_modules', name)); // prettier-ignore
  }
  copy('node_modules/@holdfast', folder);
  if (existsSync(join(root, '.backends'))) symlinkSync(join(root, '.backends'), join(folder, '.backends'));
  for (const parent of ['.', 'libs', 'apps']) {
    for (const name of readdirSync(join(root, parent))) {
      const built = join(parent, name, 'dist');
      if (existsSync(join(root, built))) copy(built, folder);
    }
  }
}

/** With its times: a build goes by them. */
function copy(path: string, folder: string): void {
  const how = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
  cpSync(join(root, path), join(folder, path), how);
}
