import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** What is made, brought or kept by programs: folders by their name, wherever they are, and by their path. */
const MADE = new Set(['.git', 'node_modules', 'dist', '.backends']);
const MADE_AT = new Set(['coverage', 'reports', 'bench/results']);

/** A file of the repository; what is no text (a picture, a descriptor) has a path only. */
export interface TreeFile {
  /** Relative to the repository, with slashes. */
  readonly path: string;
  readonly text: string | undefined;
}

/** A file that is written anew: `from` goes, `to` comes. */
export interface Change {
  readonly from: string;
  readonly to: string;
  readonly content: string | Buffer;
}

/**
 * Every file under `root` that people write or npm locks, in no particular order.
 * @param data the folder in which the apps keep what they write, relative to `root`
 */
export function readTree(root: string, data: string): readonly TreeFile[] {
  const slashed = (path: string) => relative(root, path).replaceAll('\\', '/');
  const filesIn = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (MADE.has(entry.name) || MADE_AT.has(slashed(path)) || slashed(path) === data) return [];
      if (entry.isDirectory()) return filesIn(path);
      return entry.isFile() ? [path] : [];
    });
  return filesIn(root).map((path) => {
    const content = readFileSync(path);
    const text = content.includes(0) ? undefined : content.toString('utf8');
    return { path: slashed(path), text };
  });
}

/** Writes all changes; of a file that moves, folders that it leaves empty go too, and its rights stay. */
export function writeTree(root: string, changes: readonly Change[]): void {
  for (const { from, to, content } of changes) {
    const [source, target] = [join(root, from), join(root, to)];
    const { mode } = statSync(source);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content, { mode });
    if (from === to) continue;
    rmSync(source);
    dropEmpty(dirname(source));
  }
}

function dropEmpty(folder: string): void {
  if (readdirSync(folder).length > 0) return;
  rmdirSync(folder);
  dropEmpty(dirname(folder));
}
