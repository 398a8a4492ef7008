import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StartupError } from '@holdfast/core';
import type { Change, Tree } from './tree.js';

/** Folders in which nothing is anybody's work. */
const MADE = new Set(['node_modules', 'dist', 'gen']);

/** The repository on this disk. */
export class DiskTree implements Tree {
  readonly #root: string;

  /** @param root the repository's folder */
  constructor(root: string) {
    this.#root = root;
  }

  read(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new StartupError(`${path} cannot be read (${codeOf(error)}); nothing was written.`, { cause: error });
    }
  }

  list(folder: string): readonly string[] {
    let entries;
    try {
      entries = readdirSync(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return [];
      throw error;
    }
    return entries
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory()) return MADE.has(entry.name) ? [] : this.list(path);
        return entry.isFile() ? path : [];
      });
  }
}

/**
 * Writes all changes below `root`, or none.
 * @throws StartupError where one cannot be written; those before it were taken back then
 */
export function write(root: string, changes: readonly Change[]): void {
  const done: Change[] = [];
  for (const change of changes) {
    const path = join(root, change.path);
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, change.after, change.before === undefined ? { flag: 'wx' } : {});
      done.push(change);
    } catch (error) {
      // A file that came in between is somebody else's; any other may be half written.
      if (codeOf(error) !== 'EEXIST') done.push(change);
      const left = done.toReversed().filter((one) => !takenBack(root, one));
      const rest = left.length > 0 ? `, except ${left.map((one) => one.path).join(', ')}` : '';
      const how = `cannot be written (${codeOf(error)}); all is as it was before${rest}`;
      throw new StartupError(`${change.path} ${how}.`, { cause: error });
    }
  }
}

function takenBack(root: string, { path, before }: Change): boolean {
  try {
    if (before === undefined) rmSync(join(root, path), { force: true });
    else writeFileSync(join(root, path), before);
    return true;
  } catch {
    return false;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
