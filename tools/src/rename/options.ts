import { StartupError } from '@holdfast/core';
import { readCommandLine } from '../command-line.js';
import { namesOf, type Names } from './names.js';

export interface RenameOptions {
  /** The new name, or undefined where help is asked for. */
  readonly names: Names | undefined;
  /** Also over changes that are not committed. */
  readonly force: boolean;
}

export const help = `Gives the repository, and all that has its name, a name of your own: the npm scope, metrics, alerts, proto packages,
namespace, images, headers, files and folders, pages; then writes what is generated from them anew.

Usage: npm run rename -- <name> [options]

  <name>            lower-case words with dashes, such as your-name: @your-name/core, your_name_ready, namespace your-name
  --name <text>     how pages and the dashboard call it (default: Your Name)
  --force           also where changes are not committed
  --help            show this

Nothing is written unless all of it can be. It can be done again. Copyright lines stay, and the README says once what it
was made from.`;

/**
 * What the operator asked for.
 * @throws StartupError for anything that is no option, or not a value of it
 */
export function parseOptions(args: readonly string[]): RenameOptions {
  const { values, words } = readCommandLine(args, { name: 'text', force: 'flag', help: 'flag' });
  if (values.help) return { names: undefined, force: false };
  const [scope, ...rest] = words;
  if (scope === undefined) throw new StartupError('rename needs a name; write npm run rename -- your-name.');
  if (rest.length > 0) throw new StartupError(`rename takes one name; write its words with dashes, not "${rest[0]}".`);
  return { names: namesOf(scope, values.name), force: values.force };
}
