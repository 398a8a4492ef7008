import { runBelow, pathsAbove } from './claims.js';
import { parseEntry, type Entry } from './entry.js';
import { isBranch, nest, overlay, type Branch, type Tree } from './tree.js';

/** Entries by path, as far as the place of a setting needs them. */
export interface Entries {
  get(path: string): Entry | undefined;
  /** Paths of entries below `path`, sorted. */
  below(path: string): readonly string[];
}

/** What a layer says that cannot be used. */
export interface Refusal {
  readonly text: string | undefined;
  readonly reason: string;
  /** The text says nothing at all, whatever else is in use. */
  readonly unreadable?: boolean;
}

/** What Config holds for one store: the entries that are in use. */
export class Layer implements Entries {
  readonly name: string;
  /** What cannot be used at present, by path. */
  readonly refused = new Map<string, Refusal>();
  /** What was in use in an earlier life of the process: it stands in for what the first reading has wrong. */
  readonly fallback = new Map<string, Entry>();
  readonly #accepted = new Map<string, Entry>();
  #paths: readonly string[] | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get(path: string): Entry | undefined {
    return this.#accepted.get(path);
  }

  below(path: string): readonly string[] {
    return runBelow(this.paths, path);
  }

  /** The paths of all entries in use, sorted, so that the document is first. */
  get paths(): readonly string[] {
    return (this.#paths ??= [...this.#accepted.keys()].sort());
  }

  accept(entries: Iterable<Entry>): void {
    for (const entry of entries) {
      if (!this.#accepted.has(entry.path)) this.#paths = undefined;
      this.#accepted.set(entry.path, entry);
    }
  }

  remove(path: string): void {
    if (this.#accepted.delete(path)) this.#paths = undefined;
  }

  /** Remembers texts of an earlier life; one that cannot be read is none. */
  recall(texts: ReadonlyMap<string, string>): void {
    for (const [path, text] of texts) {
      const parsed = parseEntry(path, text);
      if ('entry' in parsed) this.fallback.set(path, parsed.entry);
    }
  }

  /** This layer as it would be with `entries`, which are sorted by path. */
  with(entries: readonly Entry[]): Entries {
    const added = new Map(entries.map((entry) => [entry.path, entry]));
    const paths = [...added.keys()];
    return {
      get: (path) => added.get(path) ?? this.get(path),
      below: (path) => {
        const [own, more] = [this.below(path), runBelow(paths, path)];
        if (own.length === 0) return more;
        return more.length === 0 ? own : [...new Set([...own, ...more])].sort();
      },
    };
  }

  /** The texts in use by path, for a snapshot. */
  texts(): ReadonlyMap<string, string> {
    return new Map([...this.#accepted.values()].map(({ path, text }) => [path, text]));
  }
}

/**
 * What is said at the place `path` by the first layer, by the first two, and so on: a later one over an earlier, single entries
 * over their document.
 */
export function subtreesAt(layers: readonly Entries[], path: string, keys: readonly string[]): (Tree | undefined)[] {
  let result: Tree | undefined;
  return layers.map((layer) => {
    const fresh = new Set<Branch>();
    for (const above of ['', ...pathsAbove(path)]) {
      const entry = layer.get(above);
      if (entry) result = place(result, entry.tree, keys.slice(entry.keys.length), fresh);
    }
    for (const below of layer.below(path)) {
      const entry = layer.get(below)!;
      result = overlay(result, nest(entry.keys.slice(keys.length), entry.tree), fresh);
    }
    return result;
  });
}

/** What all layers together say at the place `path`. */
export function subtreeAt(layers: readonly Entries[], path: string, keys: readonly string[]): Tree | undefined {
  return subtreesAt(layers, path, keys).at(-1);
}

function place(base: Tree | undefined, tree: Tree, keys: readonly string[], fresh: Set<Branch>): Tree | undefined {
  let over = tree;
  for (const key of keys) {
    // A value in place of the map leaves nothing of what is below it, as null does.
    if (!isBranch(over)) return undefined;
    const inner = over.get(key);
    if (inner === undefined) return base;
    over = inner;
  }
  return overlay(base, over, fresh);
}

/** What all layers together say. */
export function effectiveTree(layers: readonly Layer[]): Branch {
  const fresh = new Set<Branch>();
  let result: Tree | undefined;
  for (const layer of layers) {
    for (const path of layer.paths) {
      const { keys, tree } = layer.get(path)!;
      result = overlay(result, nest(keys, tree), fresh);
    }
  }
  return isBranch(result) ? result : new Map();
}

/** The entry that has the last word at the place `keys`, or the first found that says something below it. */
export function authorOf(
  layers: readonly Layer[],
  keys: readonly string[],
): { layer: Layer; entry: Entry } | undefined {
  const path = keys.join('.');
  for (const layer of layers.toReversed()) {
    const candidates = [...layer.below(path), ...pathsAbove(path).toReversed(), ''];
    for (const candidate of candidates) {
      const entry = layer.get(candidate);
      if (entry && says(entry.tree, keys.slice(entry.keys.length))) return { layer, entry };
    }
  }
  return undefined;
}

function says(tree: Tree, keys: readonly string[]): boolean {
  let at: Tree | undefined = tree;
  for (const key of keys) {
    if (!isBranch(at)) return true;
    at = at.get(key);
    if (at === undefined) return false;
  }
  return true;
}
