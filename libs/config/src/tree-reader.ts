import { isAlias, isMap, isScalar, isSeq, type Document } from 'yaml';
import { nest, type Branch, type Leaf, type Tree } from './tree.js';

/** A text that cannot be used; the message is the rest of a sentence that starts with the entry's name. */
export class Unreadable extends Error {}

const DEEPEST = 32;
const MOST_VALUES = 20_000;
const MOST_ALIASES = 100;
const LONGEST_PATH = 1_000;

/** Turns a parsed YAML document into a {@link Tree}: keys split at their dots, within bounds, and each said only once. */
export class TreeReader {
  readonly #document: Document | undefined;
  #values = 0;
  #aliases = 0;

  constructor(document?: Document) {
    this.#document = document;
  }

  /** The whole document, which must be a map; one that says `null` says as much as an empty map. */
  branch(): Branch {
    const root = this.#resolved(this.#document?.contents);
    if (isScalar(root) && root.value === null) return new Map();
    if (!isMap(root)) throw new Unreadable('must be a map of keys to values');
    return this.#branch(root, []);
  }

  /** The value of a single entry, whose own path has `depth` keys. */
  tree(depth: number): Tree {
    return this.#tree(this.#document?.contents, Array<string>(depth).fill('·'));
  }

  /** The parts of a written key at `depth`. */
  keysOf(key: string, depth: number): readonly string[] {
    if (key.length > LONGEST_PATH) throw new Unreadable(`has a key of more than ${LONGEST_PATH} characters`);
    const keys = key.split('.');
    if (keys.includes('')) throw new Unreadable('has a key that is empty, or has an empty part between dots');
    if (keys.includes('__proto__')) throw new Unreadable('has the key __proto__, which no setting may have');
    if (depth + keys.length > DEEPEST) throw new Unreadable(`is nested deeper than ${DEEPEST} keys`);
    return keys;
  }

  #tree(node: unknown, path: readonly string[]): Tree {
    const resolved = this.#resolved(node);
    return isMap(resolved) ? this.#branch(resolved, path) : this.#leaf(resolved, path);
  }

  #branch(
    node: { readonly items: readonly { readonly key: unknown; readonly value: unknown }[] },
    path: readonly string[],
  ): Branch {
    const result = new Map<string, Tree>();
    const written = new Set<string>();
    if (node.items.length === 0) this.#count();
    for (const { key, value } of node.items) {
      const name = this.#key(key);
      const keys = this.keysOf(name, path.length);
      if (written.has(name)) throw saidTwice([...path, name]);
      written.add(name);
      const inner = [...path, ...keys];
      put(result, keys, this.#tree(value, inner), path);
    }
    return result;
  }

  #leaf(node: unknown, path: readonly string[]): Leaf {
    if (path.length > DEEPEST) throw new Unreadable(`is nested deeper than ${DEEPEST} keys`);
    this.#count();
    if (isSeq(node)) return node.items.map((item) => this.#item(item, [...path, '·']));
    const value: unknown = isScalar(node) ? node.value : null;
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return value;
    }
    throw new Unreadable('has a value that is no text, number, boolean, list or map');
  }

  /** What is in a list is plain: keys in there are no settings, so their dots mean nothing. */
  #item(node: unknown, path: readonly string[]): unknown {
    const resolved = this.#resolved(node);
    if (!isMap(resolved)) return this.#leaf(resolved, path);
    this.#count();
    const result: Record<string, unknown> = {};
    for (const { key, value } of resolved.items) {
      const name = this.#key(key);
      if (name === '__proto__') this.keysOf(name, 0);
      if (Object.hasOwn(result, name)) throw new Unreadable('says a key of a list’s item twice');
      result[name] = this.#item(value, [...path, '·']);
    }
    return result;
  }

  #key(node: unknown): string {
    if (!isScalar(node) || node.tag !== undefined) throw new Unreadable('has a key that is no plain text');
    // The number 1.50 as a key is meant as it is written.
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  }

  #resolved(node: unknown): unknown {
    let resolved = node;
    while (isAlias(resolved)) {
      if (++this.#aliases > MOST_ALIASES) throw new Unreadable(`has more than ${MOST_ALIASES} aliases`);
      resolved = this.#document && resolved.resolve(this.#document);
      if (resolved === undefined) throw new Unreadable('has an alias without an anchor');
    }
    return resolved;
  }

  #count(): void {
    if (++this.#values > MOST_VALUES) throw new Unreadable(`has more than ${MOST_VALUES} values`);
  }
}

/** Puts `tree` under `keys`; `users.get` and `get` inside of `users` are the same place. */
function put(into: Map<string, Tree>, keys: readonly string[], tree: Tree, path: readonly string[]): void {
  const [first, ...rest] = keys as [string, ...string[]];
  const there = into.get(first);
  const inner = nest(rest, tree);
  if (there === undefined) return void into.set(first, inner);
  if (!(there instanceof Map) || !(inner instanceof Map)) {
    throw saidTwice([...path, first]);
  }
  for (const [key, value] of inner as Branch) put(there as Map<string, Tree>, [key], value, [...path, first]);
}

function saidTwice(path: readonly string[]): Unreadable {
  return new Unreadable(`says ${path.filter((part) => part !== '·').join('.')} twice`);
}
