import { StartupError } from '@holdfast/core';

/** One name in each spelling that a repository needs: `sorrel-larch`, `sorrel_larch`, `sorrelLarch`, `SorrelLarch`, `SORREL_LARCH`, `Sorrel Larch`. */
export interface Names {
  /** The npm scope, the namespace, images, files, headers, labels. */
  readonly kebab: string;
  /** Where a dash has no place: metrics, recording rules, proto packages and their folders. */
  readonly snake: string;
  /** In identifiers. */
  readonly camel: string;
  /** In identifiers and the names of alerts. */
  readonly pascal: string;
  /** In environment variables. */
  readonly upper: string;
  /** For people. */
  readonly title: string;
}

/** Which spelling of a name. */
export type Spelling = keyof Names;

/** Namespaces, labels and images take more; a metric's name has to be read by somebody. */
const LONGEST = 40;

/**
 * All spellings of `scope`.
 * @param title for people @default each word of the scope with a capital
 * @throws StartupError for what cannot be an npm scope, a proto package, a namespace and a part of a metric's name at once
 */
export function namesOf(scope: string, title?: string): Names {
  if (!/^[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*$/.test(scope) || scope.length > LONGEST) {
    throw new StartupError(
      `"${scope}" cannot be a name: write lower-case words with dashes between them, each beginning with a letter, ` +
        `${LONGEST} characters at the most, such as your-name.`,
    );
  }
  const words = scope.split('-');
  const capitals = words.map((word) => `${word[0]!.toUpperCase()}${word.slice(1)}`);
  const shown = title ?? capitals.join(' ');
  // It gets into YAML, JSON, HTML and code, in which other characters would have to be escaped.
  if (!/^\p{Lu}[\p{L}\p{N}]*(?:[ .-][\p{L}\p{N}]+)*$/u.test(shown) || shown.length > LONGEST) {
    throw new StartupError(
      `"${shown}" cannot be the name that is shown: write letters and digits, with a capital first and single spaces, ` +
        `dots or dashes between words, ${LONGEST} characters at the most.`,
    );
  }
  return {
    kebab: scope,
    snake: words.join('_'),
    camel: words[0]! + capitals.slice(1).join(''),
    pascal: capitals.join(''),
    upper: words.join('_').toUpperCase(),
    title: shown,
  };
}
