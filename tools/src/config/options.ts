import { StartupError } from '@holdfast/core';
import { readCommandLine } from '../command-line.js';

/** What the operator wants done. A file's name stands for the whole document that is in it. */
export type Command =
  | { readonly verb: 'get'; readonly service: string; readonly key: string | undefined }
  | { readonly verb: 'set' | 'unset'; readonly service: string; readonly edits: ReadonlyMap<string, string | null> }
  | { readonly verb: 'set' | 'diff'; readonly service: string; readonly file: string }
  | { readonly verb: 'diff'; readonly service: string; readonly revisions: readonly number[] }
  | { readonly verb: 'history'; readonly service: string }
  | { readonly verb: 'rollback'; readonly service: string; readonly revision: number }
  | { readonly verb: 'watch'; readonly service: string | undefined }
  | { readonly verb: 'help' };

export interface ConfigOptions {
  readonly command: Command;
  /** The stores, as `CONFIG_URL` has them. */
  readonly url: string;
  /** For scripts: JSON instead of lines. */
  readonly json: boolean;
  /** Shows what would change, and writes nothing. */
  readonly dryRun: boolean;
}

export const help = `Looks at the settings of a service, and changes them while it runs.

Usage: npm run config -- <command> [options]

  get <service> [<key>]                    what is in use, and who says so; a key may be the start of several
  set <service> <key> <value> [<key> <value>…]
  set <service> --file <doc.yaml>          the whole document; everything that it leaves out is unset
  unset <service> <key>…                   back to the default
  diff <service>                           what the stores change
  diff <service> --file <doc.yaml>         what that document would change
  diff <service> <revision> [<revision>]   what has changed since then, or from one to the other
  watch [<service>]                        a line for each change, until Ctrl-C
  history <service>                        who changed what, and when
  rollback <service> <revision>            as it was after that revision

  --url <url>   the stores (default: CONFIG_URL, else file:config/holdfast.yaml); the last one is written to
  --dry-run     show what would change, and write nothing
  --json        for scripts
  --help        show this

A value is YAML: 500ms, 25, true, [a, b], '{limit: 50}'. Put quotes of its own around a text with a colon or a bracket:
'"Hi: {name}"'. A value that begins with a dash comes after --. Nothing is written that a service would refuse, and
nothing is asked. CONSUL_HTTP_TOKEN and ETCD_PASSWORD are taken from the environment. Keys: docs/config.md.`;

/**
 * What the operator asked for.
 * @throws StartupError for anything that is no command or option, or not a value of it
 */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): ConfigOptions {
  const { values, words } = readCommandLine(args, {
    url: 'text',
    file: 'text',
    json: 'flag',
    'dry-run': 'flag',
    help: 'flag',
  });
  const url = values.url ?? (env['CONFIG_URL'] || 'file:config/holdfast.yaml');
  const command = values.help ? ({ verb: 'help' } as const) : commandOf(words, values.file);
  return { command, url, json: values.json, dryRun: values['dry-run'] };
}

function commandOf([verb, service, ...rest]: readonly string[], file: string | undefined): Command {
  if (verb === undefined) return { verb: 'help' };
  if (file !== undefined && verb !== 'set' && verb !== 'diff') {
    throw new StartupError(`${verb} takes no --file; set and diff do.`);
  }
  if (file !== undefined && rest.length > 0) {
    throw new StartupError(`--file is a whole document; leave "${rest[0]}" out, or the file.`);
  }
  const name = (): string => {
    if (service === undefined) throw new StartupError(`${verb} needs a service; --help shows how it is written.`);
    return service;
  };
  const only = (most: number): void => {
    if (rest.length > most)
      throw new StartupError(`${verb} does not take "${rest[most]}"; --help shows how it is written.`);
  };
  switch (verb) {
    case 'get':
      only(1);
      return { verb, service: name(), key: rest[0] };
    case 'set':
      return file === undefined ? { verb, service: name(), edits: pairs(rest) } : { verb, service: name(), file };
    case 'unset':
      if (rest.length === 0) throw new StartupError('unset needs a key; write unset <service> <key>….');
      return { verb, service: name(), edits: new Map(rest.map((key) => [key, null])) };
    case 'diff':
      only(2);
      if (file !== undefined) return { verb, service: name(), file };
      return { verb, service: name(), revisions: rest.map(revisionOf) };
    case 'watch':
      only(0);
      return { verb, service };
    case 'history':
      only(0);
      return { verb, service: name() };
    case 'rollback':
      only(1);
      if (rest[0] === undefined) throw new StartupError('rollback needs a revision; history lists them.');
      return { verb, service: name(), revision: revisionOf(rest[0]) };
    default:
      throw new StartupError(`There is no command "${verb}"; write get, set, unset, diff, watch, history or rollback.`);
  }
}

function pairs(words: readonly string[]): ReadonlyMap<string, string> {
  if (words.length === 0) throw new StartupError('set needs a key and its value; write set <service> <key> <value>.');
  if (words.length % 2 === 1)
    throw new StartupError(`set needs a value for ${words.at(-1)}; write <key> <value> pairs.`);
  const edits = new Map<string, string>();
  for (let index = 0; index < words.length; index += 2) {
    const [key, value] = [words[index]!, words[index + 1]!];
    if (edits.has(key)) throw new StartupError(`set has ${key} twice; give it once.`);
    if (key === '') throw new StartupError('set has an empty key; a whole document is set by --file.');
    edits.set(key, value);
  }
  return edits;
}

function revisionOf(word: string): number {
  if (/^\d{1,9}$/.test(word)) return Number(word);
  throw new StartupError(`"${word}" is no revision; history lists them.`);
}
