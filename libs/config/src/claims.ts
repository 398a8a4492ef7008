import type { Claim } from './claim.js';
import { without, type Tree } from './tree.js';

/** All claims of a process, found by the place of a change. The longest claim owns a place. */
export class Claims {
  readonly #byKey = new Map<string, Claim>();
  /** Sorted, so that what is below a place is one run. */
  #keys: string[] = [];
  #sorted = true;

  get(key: string): Claim | undefined {
    return this.#byKey.get(key);
  }

  get size(): number {
    return this.#byKey.size;
  }

  [Symbol.iterator](): Iterator<Claim> {
    return this.#byKey.values();
  }

  add(claim: Claim): void {
    this.#byKey.set(claim.key, claim);
    this.#keys.push(claim.key);
    this.#sorted = false;
  }

  remove(claim: Claim): void {
    if (this.#byKey.delete(claim.key)) this.#keys = [...this.#byKey.keys()];
    this.#sorted = false;
  }

  /** Those whose value may change with what is said at `paths`; the document `''` concerns all. */
  touchedBy(paths: Iterable<string>): ReadonlySet<Claim> {
    const touched = new Set<Claim>();
    for (const path of paths) {
      if (path === '') return new Set(this.#byKey.values());
      for (const above of pathsAbove(path)) {
        const claim = this.#byKey.get(above);
        if (claim) touched.add(claim);
      }
      for (const key of this.below(path)) touched.add(this.#byKey.get(key)!);
    }
    return touched;
  }

  /** The keys of claims below `path`, itself not included. */
  below(path: string): readonly string[] {
    if (!this.#sorted) this.#keys.sort();
    this.#sorted = true;
    return runBelow(this.#keys, path);
  }

  /** The part of `tree`, found at the claim's key, that is not another's. */
  own(claim: Claim, tree: Tree | undefined): Tree | undefined {
    let own = tree;
    for (const key of this.below(claim.key)) {
      if (own === undefined) break;
      own = without(own, this.#byKey.get(key)!.keys.slice(claim.keys.length));
    }
    return own;
  }

  /** Whether somebody asks for the leaf at `path`. */
  claimed(path: string): boolean {
    return pathsAbove(path).some((above) => this.#byKey.has(above));
  }
}

/** `a.b.c` and all that it is part of: `a`, `a.b`, `a.b.c`. */
export function pathsAbove(path: string): readonly string[] {
  const paths: string[] = [];
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) paths.push(path.slice(0, dot));
  return [...paths, path];
}

/** Those of `sorted` that begin with `path` and a dot. */
export function runBelow(sorted: readonly string[], path: string): readonly string[] {
  const from = firstAtOrAfter(sorted, `${path}.`);
  // The slash is the character after the dot.
  return sorted.slice(from, firstAtOrAfter(sorted, `${path}/`));
}

function firstAtOrAfter(sorted: readonly string[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
