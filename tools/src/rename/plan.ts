import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartupError } from '@holdfast/core';
import { namesOf, type Names } from './names.js';
import { mentions, Renaming } from './renaming.js';
import { readTree, type Change, type TreeFile } from './tree.js';

/** Everything that a rename does to the repository's files, worked out before the first is written. */
export interface Plan {
  readonly from: Names;
  readonly to: Names;
  readonly changes: readonly Change[];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly displayName?: string;
}

/** The name that the repository under `root` has now, from its package.json: so a renamed one can be renamed again. */
export function currentNames(root: string): Names {
  const { name, displayName } = manifestOf(root);
  return namesOf(name, displayName);
}

/**
 * What it takes to call the repository under `root` by another name.
 * @throws StartupError where it is called that already, or the name means something else in it or in a dependency
 */
export function planOf(root: string, to: Names): Plan {
  const from = currentNames(root);
  if (to.kebab === from.kebab) throw new StartupError(`It is called ${to.kebab} already; choose another name.`);
  const files = readTree(root, `.${from.kebab}`);
  refuseTaken(to, files);
  const renaming = new Renaming(from, to);
  const changes = files.flatMap((file): Change[] => {
    const moved = renaming.path(file.path);
    if (file.text === undefined) {
      return moved === file.path ? [] : [{ from: file.path, to: moved, content: readFileSync(join(root, file.path)) }];
    }
    const content = withOrigin(file, renaming.text(file.text), `Made from ${from.title} ${manifestOf(root).version}.`);
    const titled = file.path === 'package.json' ? withTitle(content, to) : content;
    return moved === file.path && titled === file.text ? [] : [{ from: file.path, to: moved, content: titled }];
  });
  return { from, to, changes };
}

/** A later rename could not tell the name from the word, and `@types` has an owner. */
function refuseTaken(to: Names, files: readonly TreeFile[]): void {
  const place = files.find(({ path, text }) => mentions(to, path) || mentions(to, text ?? ''));
  if (!place) return;
  throw new StartupError(
    `"${to.kebab}" is a word in ${place.path} already, where it means something else; choose another name.`,
  );
}

/** The README says where the repository comes from, the first time that it gets another name. */
function withOrigin({ path }: TreeFile, text: string, origin: string): string {
  return path !== 'README.md' || /^Made from /m.test(text) ? text : `${text.trimEnd()}\n\n${origin}\n`;
}

/** The name for people has one place of its own, for the next rename: it need not follow from the other. */
function withTitle(text: string, { title }: Names): string {
  const { name, displayName: _, ...rest } = JSON.parse(text) as Manifest;
  return `${JSON.stringify({ name, displayName: title, ...rest }, null, 2)}\n`;
}

function manifestOf(root: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
}
