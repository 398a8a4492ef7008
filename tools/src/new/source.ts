import { StartupError } from '@holdfast/core';
import { withoutDemo } from './demo-parts.js';
import { identifiersOf } from './programs.js';
import { renamed, renamedPath } from './rename.js';
import type { Draft, Tree } from './tree.js';
import { formsOf, type Noun } from './words.js';

/** What all new things are made from: the living parts of the repository that are about users. */
const user: Noun = { one: formsOf('user'), many: formsOf('users') };

/** The service that new ones are made from. */
export const SOURCE_APP = 'user-service';

/** The name of the service that is about `noun`. */
export function serviceOf({ one }: Noun): string {
  return `${one.kebab}-service`;
}

/** Where the contract of that service is. */
export function contractOf({ one }: Noun): string {
  return `proto/${one.snake}/v1/${one.snake}.proto`;
}

/** The noun that a service which is there already is about, by either of its words: an odd plural is said once. */
export function nounIn(tree: Tree, word: string): Noun | undefined {
  for (const path of tree.list('apps')) {
    const [, one, many] = /^apps\/([^/]+)-service\/src\/([^/]+)\/\2\.controller\.ts$/.exec(path) ?? [];
    if (one && many && (word === one || word === many)) return { one: formsOf(one), many: formsOf(many) };
  }
  return undefined;
}

/** A living text as it would be if it were about `noun`, and without what only the demo needs. */
export function about(noun: Noun, path: string, text: string): string {
  return renamed(withoutDemo(text, path), path, user, noun);
}

/** Makes of each living file one about `noun`; one in which there is nothing but the demo's is left out. */
export function copyFiles(
  draft: Draft,
  noun: Noun,
  paths: readonly string[],
  to: (path: string) => string = same,
): void {
  for (const path of paths) {
    const text = about(noun, path, living(draft, path));
    if (text !== '') draft.create(to(renamedPath(path, user, noun)), text);
  }
}

const same = (path: string) => path;

/**
 * The text of a file that new ones are made from.
 * @throws StartupError where it is not there any more
 */
export function living(tree: Tree, path: string): string {
  const text = tree.read(path);
  if (text !== undefined) return text;
  throw new StartupError(
    `${path} is not there, and new parts are made from it: take it back from the version that had it.`,
  );
}

/** @throws StartupError where the generated programs have the noun as a name already, for something else */
export function checkNames(tree: Tree, noun: Noun): void {
  const names = programsAboutUsers(tree).flatMap((path) => [...identifiersOf(living(tree, path))]);
  const own = new Set(names.filter((name) => !/users?/i.test(name)));
  for (const { camel, pascal, kebab } of [noun.one, noun.many]) {
    if (own.has(camel) || own.has(pascal)) {
      throw new StartupError(`"${kebab}" is a word that the programs to be made have themselves: choose another name.`);
    }
  }
}

/** The programs that new ones are made from. */
export function programsAboutUsers(tree: Tree): readonly string[] {
  const folders = [`apps/${SOURCE_APP}/src`, 'apps/gateway/src/users'];
  return folders.flatMap((folder) => tree.list(folder)).filter((path) => path.endsWith('.ts') && isOfApp(path));
}

/** Not what was added to the living service to call others. */
export function isOfApp(path: string): boolean {
  const [, , , first, ...rest] = path.split('/');
  return rest.length === 0 || first === user.many.kebab;
}
