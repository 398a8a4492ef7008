import { LineCounter, parseDocument, type Document } from 'yaml';
import { TreeReader, Unreadable } from './tree-reader.js';
import { readPlainYaml, wordOf } from './plain-yaml.js';
import type { Tree } from './tree.js';

/** One text of a store, understood. */
export interface Entry {
  /** `''` for the service's document. */
  readonly path: string;
  /** The path, taken apart. */
  readonly keys: readonly string[];
  readonly text: string;
  /** What it says at its path; for a document always a map. */
  readonly tree: Tree;
}

export type ParsedEntry = { readonly entry: Entry } | { readonly reason: string };

/** The longest text of one entry, in characters. */
const LONGEST_TEXT = 1024 * 1024;
/** More brackets or dashes in a row than any setting has: the parser would spend seconds on a text full of them. */
const ONLY_BRACKETS = /(?:[-?:]\s+|[[{]\s*){64}/;
const MOST_OPEN_BRACKETS = 500;

/** Paths that begin with a dot are the platform's own, and no settings. */
export function isReserved(path: string): boolean {
  return path.startsWith('.');
}

/** Reads one text of a store. It never throws, and a reason never contains what was found, only where and what is expected. */
export function parseEntry(path: string, text: string): ParsedEntry {
  try {
    const keys = path === '' ? [] : new TreeReader().keysOf(path, 0);
    return { entry: { path, keys, text, tree: parseText(text, keys.length) } };
  } catch (error) {
    if (error instanceof Unreadable) return { reason: error.message };
    return { reason: error instanceof RangeError ? 'is nested too deep' : 'is not readable as YAML' };
  }
}

function parseText(text: string, depth: number): Tree {
  const word = depth > 0 ? wordOf(text) : undefined;
  if (word !== undefined) return word;
  if (text.length > LONGEST_TEXT) throw new Unreadable('is longer than 1 MiB');
  if (ONLY_BRACKETS.test(text) || mostOpenBrackets(text) > MOST_OPEN_BRACKETS) {
    throw new Unreadable('is nested too deep');
  }
  const plain = depth === 0 ? readPlainYaml(text) : undefined;
  if (plain) return plain;
  const document = parseYaml(text);
  // An empty text is what a write that was cut off leaves behind, so it is never taken for "nothing is set".
  if (!document.contents) {
    throw new Unreadable(depth === 0 ? 'is empty; write {} where nothing is to be set' : 'is empty; write null or ""');
  }
  return depth === 0 ? new TreeReader(document).branch() : new TreeReader(document).tree(depth);
}

function parseYaml(text: string): Document.Parsed {
  // Duplicate keys are found by the TreeReader: the parser would compare each key with each other.
  const options = { uniqueKeys: false, prettyErrors: false, schema: 'core' } as const;
  const document = parseDocument(text, options);
  const [flaw] = [...document.errors, ...document.warnings];
  if (!flaw) return document;
  const lines = new LineCounter();
  parseDocument(text, { ...options, lineCounter: lines });
  const { line, col } = lines.linePos(flaw.pos[0]);
  const kind = flaw.code.toLowerCase().replaceAll('_', ' ');
  throw new Unreadable(`is not readable as YAML at line ${line}, column ${col} (${kind})`);
}

function mostOpenBrackets(text: string): number {
  let open = 0;
  let most = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (char === 0x5b || char === 0x7b) most = Math.max(most, ++open);
    else if (char === 0x5d || char === 0x7d) open--;
  }
  return most;
}
