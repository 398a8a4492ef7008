import { parseArgs } from 'node:util';
import { StartupError } from '@holdfast/core';

/** The options that a command knows: those with a value after them (`text`), and those without (`flag`). `-h` is `--help`. */
export type Options = Readonly<Record<string, 'text' | 'flag'>>;

/** What was asked for: a text or undefined, a flag set or not. */
export type Values<O extends Options> = {
  readonly [Name in keyof O]: O[Name] extends 'text' ? string | undefined : boolean;
};

/**
 * A command line, taken apart: its words, and its options, of which the last one counts where one is there twice.
 * @throws StartupError for an option that is not known, one without its value, and one with a value that takes none
 */
export function readCommandLine<const O extends Options>(
  args: readonly string[],
  options: O,
): { readonly words: readonly string[]; readonly values: Values<O> } {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, kind]) => [
        name,
        { type: kind === 'text' ? 'string' : 'boolean', ...(name === 'help' && { short: 'h' }) } as const,
      ]),
    ),
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (!Object.hasOwn(options, token.name)) throw noSuchOption(token.rawName);
    const isText = options[token.name] === 'text';
    if (isText && !token.value) throw new StartupError(`${token.rawName} needs a value.`);
    if (!isText && token.value !== undefined) throw new StartupError(`${token.rawName} takes no value.`);
  }
  const given = Object.entries(options).map(([name, kind]) => [
    name,
    kind === 'text' ? (values[name] as string | undefined) : values[name] === true,
  ]);
  return { words: positionals, values: Object.fromEntries(given) as Values<O> };
}

/** For a word where none may be. */
export function noSuchOption(word: string): StartupError {
  return new StartupError(`There is no option "${word}"; --help lists those there are.`);
}
