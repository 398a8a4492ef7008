import { StartupError } from '@holdfast/core';

/** One noun, as each place writes it: `line item`. */
export interface Forms {
  /** `line-item`: folders, files, names of apps and routes. */
  readonly kebab: string;
  /** `lineItem`: variables. */
  readonly camel: string;
  /** `LineItem`: classes and messages. */
  readonly pascal: string;
  /** `line_item`: packages and fields of a contract, tables. */
  readonly snake: string;
  /** `line item`: in a sentence. */
  readonly prose: string;
}

/** What a service is about, one of them and several. */
export interface Noun {
  readonly one: Forms;
  readonly many: Forms;
}

const WORD = /^[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*$/;
const LONGEST = 40;

/** Words that a contract or a program cannot have as a name; those that the generated code has itself are found in it. */
const reserved = new Set(
  `abstract any arguments array as async await bool boolean break buffer builtin bytes case catch class const constructor continue
  date debugger declare default delete dist do double else enum error eval exact export extends extensions false finally fixed32
  fixed64 float for from function gen google group holdfast if implements import in infer instanceof int32 int64 interface is json
  keyof let long map math message module namespace native never new node null number object of oneof option optional package
  partial pick private promise protected proto prototype proxy public readonly record reflect regexp repeated require required
  reserved return rpc satisfies service set static stream string super switch symbol sync syntax test this throw to true try type
  typeof uint32 uint64 undefined unique unknown using var void weak while with yield`.split(/\s+/),
);

/**
 * The noun that `word` is, in the singular or the plural.
 * @param plural where the rules of English do not find it
 * @throws StartupError where it is no name, or one that programs cannot have
 */
export function nounOf(word: string, plural?: string): Noun {
  for (const name of [word, plural ?? word]) checkWord(name);
  const one = plural === undefined ? singularOf(word) : word;
  const many = plural ?? pluralOf(one);
  if (one === many) {
    throw new StartupError(
      `"${word}" has no plural of its own: name another with --plural, such as --plural ${one}-list.`,
    );
  }
  for (const name of [one, many]) {
    if (reserved.has(name)) {
      throw new StartupError(
        `"${name}" is a word of the language that programs or contracts are written in: choose another name.`,
      );
    }
  }
  return { one: formsOf(one), many: formsOf(many) };
}

/** @param kebab lower-case words with hyphens between */
export function formsOf(kebab: string): Forms {
  const pascal = kebab
    .split('-')
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join('');
  return {
    kebab,
    pascal,
    camel: pascal[0]!.toLowerCase() + pascal.slice(1),
    snake: kebab.replaceAll('-', '_'),
    prose: kebab.replaceAll('-', ' '),
  };
}

function checkWord(word: string): void {
  if (WORD.test(word) && word.length <= LONGEST) return;
  const how = `lower-case words with hyphens between, ${LONGEST} characters at most, such as orders or line-items`;
  throw new StartupError(`"${word}" is no name: it must be ${how}.`);
}

function singularOf(word: string): string {
  if (/(?:ss|us|is)$/.test(word) || !word.endsWith('s')) return word;
  if (/[^aeiou]ies$/.test(word) && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(?:ss|sh|ch|x|zz)es$/.test(word)) return word.slice(0, -2);
  return word.slice(0, -1);
}

function pluralOf(word: string): string {
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return /(?:s|sh|ch|x|z)$/.test(word) ? `${word}es` : `${word}s`;
}
