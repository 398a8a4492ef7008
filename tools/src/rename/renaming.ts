import type { Names, Spelling } from './names.js';

/** Lines that say where something comes from stay true whatever it is called now. */
const ORIGIN = /^(?:Copyright \(c\)|Made from) /;

/** What stands around a name, by which spellings are told apart that look the same. */
interface Place {
  readonly before: string;
  readonly after: string;
}

/**
 * Where each spelling is at home, most particular first: one word is its own kebab, snake and camel case, so the place
 * decides what it becomes when the next name has two.
 */
const homes: readonly (readonly [Spelling, (place: Place) => boolean])[] = [
  ['kebab', ({ before }) => before.endsWith('@')],
  ['camel', ({ after }) => /^[A-Z]/.test(after)],
  // A metric, a recording rule, a proto package, the folder of one.
  ['snake', ({ before, after }) => before.endsWith('_') || /^(?:_|:[a-z]\w*:|([./])(?:\w+\1)?v\d)/.test(after)],
  ['pascal', ({ before, after }) => /[A-Za-z0-9]$/.test(before) || /^[A-Z0-9]/.test(after)],
  ['upper', ({ before, after }) => before.endsWith('_') || after.startsWith('_')],
  ['kebab', () => true],
  ['title', () => true],
  ['camel', () => true],
  ['snake', () => true],
  ['pascal', () => true],
  ['upper', () => true],
];

/** Finds one name in text, in all its spellings, and puts another in its place. */
export class Renaming {
  readonly #words: RegExp;

  constructor(
    private readonly from: Names,
    private readonly to: Names,
  ) {
    this.#words = wordsOf(from);
  }

  /** A file's text under the new name; lines of origin are left as they are. */
  text(text: string): string {
    return text
      .split('\n')
      .map((line) => (ORIGIN.test(line) ? line : this.#replaced(line)))
      .join('\n');
  }

  /** Where a file or folder goes; `path` is relative to the repository, with slashes. */
  path(path: string): string {
    return this.#replaced(path);
  }

  #replaced(line: string): string {
    return line.replace(this.#words, (word: string, offset: number) =>
      this.#renamed(word, { before: line.slice(0, offset), after: line.slice(offset + word.length) }),
    );
  }

  #renamed(word: string, place: Place): string {
    const [spelling] = homes.find(([name, isHome]) => this.from[name] === word && isHome(place))!;
    return this.to[spelling];
  }
}

/** Whether `text` has the name in any spelling, lines of origin aside. */
export function mentions(names: Names, text: string): boolean {
  const words = wordsOf(names);
  return text.split('\n').some((line) => !ORIGIN.test(line) && line.search(words) >= 0);
}

/** As words of their own: `beta` is neither in `alphabet` nor in `v1beta1`. */
function wordsOf({ kebab, snake, camel, upper, pascal, title }: Names): RegExp {
  return new RegExp(
    [
      `(?<![A-Za-z0-9])(?:${anyOf([kebab, snake, camel])})(?![a-z0-9])`,
      `(?<![A-Z])(?:${anyOf([pascal, title])})(?![a-z])`,
      `(?<![A-Za-z0-9])(?:${upper})(?![A-Za-z0-9])`,
    ].join('|'),
    'g',
  );
}

/** The longest first: `Medlar` begins `Medlar.dev`. */
function anyOf(names: readonly string[]): string {
  const longestFirst = [...new Set(names)].toSorted((a, b) => b.length - a.length);
  return longestFirst.map((name) => name.replaceAll('.', String.raw`\.`)).join('|');
}
