/** What a store says below some key: a map by the parts of the key, or a value. Maps, so that no key is special to JavaScript. */
export type Tree = Branch | Leaf;
export type Branch = ReadonlyMap<string, Tree>;
/** A list is one value: it is replaced, never merged. `null` takes back what the layers below say at its place. */
export type Leaf = string | number | boolean | null | readonly unknown[];

export function isBranch(tree: unknown): tree is Branch {
  return tree instanceof Map;
}

/**
 * What holds at a place where `base` is said below and `over` above: maps merge, any other value replaces. Undefined where
 * nothing is said. An empty map is something that is said (`breaker: {}` asks for a breaker); a map from which everything
 * was taken back is not.
 *
 * @param fresh maps that the caller made itself by earlier overlays: these are changed in place, all others are copied
 */
export function overlay(base: Tree | undefined, over: Tree, fresh = new Set<Branch>()): Tree | undefined {
  if (over === null) return undefined;
  if (!isBranch(over)) return over;
  const below = isBranch(base) ? base : new Map<string, Tree>();
  const wasSaid = isBranch(base) && base.size === 0;
  const result = fresh.has(below) ? (below as Map<string, Tree>) : new Map(below);
  fresh.add(result);
  for (const [key, inner] of over) {
    const merged = overlay(result.get(key), inner, fresh);
    if (merged === undefined) result.delete(key);
    else result.set(key, merged);
  }
  return result.size > 0 || over.size === 0 || wasSaid ? result : undefined;
}

/** `tree` under `keys`, as a tree from further up. */
export function nest(keys: readonly string[], tree: Tree): Tree {
  return keys.reduceRight<Tree>((inner, key) => new Map([[key, inner]]), tree);
}

/** `tree` without the place that `keys` lead to; a map that has nothing else goes too. Undefined where nothing is left. */
export function without(tree: Tree, keys: readonly string[]): Tree | undefined {
  const [first, ...rest] = keys;
  if (first === undefined) return undefined;
  if (!isBranch(tree) || !tree.has(first)) return tree;
  const result = new Map(tree);
  const inner = without(tree.get(first)!, rest);
  if (inner === undefined) result.delete(first);
  else result.set(first, inner);
  return result.size === 0 ? undefined : result;
}

/** The value of a setting: what `code` says, with `tree` over it, as plain objects. */
export function mergeOver(code: unknown, tree: Tree): unknown {
  if (!isBranch(tree)) return tree;
  const result: Record<string, unknown> = isPlainObject(code) ? { ...code } : {};
  for (const [key, inner] of tree) {
    result[key] = mergeOver(Object.hasOwn(result, key) ? result[key] : undefined, inner);
  }
  return result;
}

export function sameTree(a: Tree | undefined, b: Tree | undefined): boolean {
  if (Object.is(a, b)) return true;
  if (isBranch(a) && isBranch(b)) {
    return a.size === b.size && [...a].every(([key, inner]) => b.has(key) && sameTree(inner, b.get(key)));
  }
  return Array.isArray(a) && Array.isArray(b) && JSON.stringify(a) === JSON.stringify(b);
}

/** The keys of everything that is said in `tree`, joined by dots; an empty map counts as one. */
export function* leafPaths(tree: Tree, path: readonly string[] = []): Generator<string> {
  if (!isBranch(tree) || tree.size === 0) {
    if (path.length > 0) yield path.join('.');
    return;
  }
  for (const [key, inner] of tree) yield* leafPaths(inner, [...path, key]);
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
