import { stringify } from 'yaml';
import { isReserved, parseEntry } from './entry.js';
import { isBranch, type Tree } from './tree.js';

/**
 * What one store says, taken apart: the text of each single value by its path, sorted. It is the same whether a document says
 * it or entries of their own do. A text that cannot be read stands under its entry's path as it is, `''` for the document.
 */
export type Leaves = ReadonlyMap<string, string>;

/** What one path said before and after a change; undefined where it said nothing. */
export interface TextChange {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

interface Node {
  text?: string | undefined;
  readonly below: Map<string, Node>;
}

/** Takes back what weaker stores say. */
export const NULL = 'null';
/** Says a map and nothing in it. */
export const EMPTY_MAP = '{}';

/** Texts that are written as they are read: most values need no writer. */
const WORD = /^[A-Za-z][A-Za-z0-9_-]*$/;
const NOT_WORDS = /^(?:true|false|null)$/i;

/** What differs, by path, sorted. */
export function changesBetween(before: Leaves, after: Leaves): ReadonlyMap<string, TextChange> {
  const changes = new Map<string, TextChange>();
  for (const path of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const change = { before: before.get(path), after: after.get(path) };
    if (change.before !== change.after) changes.set(path, change);
  }
  return changes;
}

/** Takes the entries of one store apart. `null` stays one: it says that what weaker stores say does not count. */
export function leavesOf(entries: ReadonlyMap<string, string>): Leaves {
  const root: Node = { below: new Map() };
  const leaves = new Map<string, string>();
  for (const path of settingsIn(entries)) {
    const text = entries.get(path)!;
    const parsed = parseEntry(path, text);
    if ('entry' in parsed) {
      for (const [keys, leaf] of leafTexts(parsed.entry.tree, parsed.entry.keys)) put(root, keys, leaf);
    } else if (path === '') leaves.set('', text);
    else put(root, path.split('.'), text);
  }
  collect(root, [], leaves);
  return new Map([...leaves].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The paths of those entries that are settings, sorted, so that the document is first. */
export function settingsIn(entries: ReadonlyMap<string, string>): readonly string[] {
  return [...entries.keys()].filter((path) => !isReserved(path)).sort();
}

/** Each single value in `tree`, and its text; an empty map counts as one. */
export function* leafTexts(tree: Tree, keys: readonly string[]): Generator<readonly [readonly string[], string]> {
  if (!isBranch(tree) || (tree.size === 0 && keys.length > 0)) yield [keys, textOf(tree)];
  else for (const [key, inner] of tree) yield* leafTexts(inner, [...keys, key]);
}

/** A value as YAML on one line, always the same for the same value. */
export function textOf(value: unknown): string {
  if (value === null || typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && WORD.test(value) && !NOT_WORDS.test(value)) return value;
  const plain = plainOf(value);
  // Outside of a list or map, commas and brackets within a text need no quotes.
  const style = typeof plain === 'object' ? ({ collectionStyle: 'flow', flowCollectionPadding: false } as const) : {};
  const text = stringify(plain, { schema: 'core', lineWidth: 0, ...style });
  // JSON is YAML too, and has no line breaks.
  return text.trimEnd().includes('\n') ? JSON.stringify(plain) : text.trimEnd();
}

/** `leaves` as one document. */
export function documentOf(leaves: Leaves): string {
  const root: Node = { below: new Map() };
  for (const [path, text] of leaves) put(root, path.split('.'), text);
  return stringify(plainOf(treeOf(root)), { schema: 'core', lineWidth: 0 });
}

/** Whether `path` is `above` itself or a part of it; everything is a part of the document. */
export function isWithin(path: string, above: string): boolean {
  return path === above || above === '' || path.startsWith(`${above}.`);
}

/** As maps are laid over each other: a value ends what was below it, and the value above it. */
function put(root: Node, keys: readonly string[], text: string): void {
  let at = root;
  for (const key of keys) {
    // Nothing was there to take back.
    if (text === NULL && (at.text === NULL || at.text === EMPTY_MAP)) return;
    at.text = undefined;
    let inner = at.below.get(key);
    if (!inner) at.below.set(key, (inner = { below: new Map() }));
    at = inner;
  }
  if (text === EMPTY_MAP && saysSomething(at)) return;
  at.below.clear();
  at.text = text;
}

function saysSomething({ text, below }: Node): boolean {
  return (text !== undefined && text !== NULL) || [...below.values()].some(saysSomething);
}

function collect(node: Node, keys: readonly string[], into: Map<string, string>): void {
  if (node.text !== undefined) into.set(keys.join('.'), node.text);
  for (const [key, inner] of node.below) collect(inner, [...keys, key], into);
}

function treeOf({ text, below }: Node): Tree {
  if (text === undefined) return new Map([...below].map(([key, inner]) => [key, treeOf(inner)]));
  const parsed = parseEntry('value', text);
  return 'entry' in parsed ? parsed.entry.tree : text;
}

/** Maps as objects, for the writer of YAML. */
function plainOf(value: unknown): unknown {
  if (!isBranch(value)) return value;
  return Object.fromEntries([...value].map(([key, inner]) => [key, plainOf(inner)]));
}
