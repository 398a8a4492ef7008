import { isDeepStrictEqual } from 'node:util';
import type { Acceptance } from './acceptance.js';
import type { Claim } from './claim.js';
import type { KeyGuide } from './key-facts.js';
import { authorOf } from './layer.js';
import { isBranch, type Tree } from './tree.js';

/** A value that is in use, and who says so. */
export interface EffectiveValue {
  readonly key: string;
  readonly value: unknown;
  /** `default` for the schema's own, `code`, or the name of the store. */
  readonly from: string;
}

/** Every single value that is in use, by its key. A list is one value. */
export function effectiveValues(acceptance: Acceptance, guide: KeyGuide): ReadonlyMap<string, EffectiveValue> {
  const values = new Map<string, EffectiveValue>();
  for (const claim of acceptance.claims) {
    for (const { keys, value } of leavesIn(claim.live.value, [])) {
      const key = [...claim.keys, ...keys].join('.');
      const from = sourceOf(acceptance, claim, keys);
      // What the code says is often complete, with the schema's defaults in it.
      const isDefault = from === 'code' && isDeepStrictEqual(guide.factsOf(key)?.default, value);
      values.set(key, { key, value, from: isDefault ? 'default' : from });
    }
  }
  return values;
}

function sourceOf(acceptance: Acceptance, claim: Claim, keys: readonly string[]): string {
  if (says(claim.overrides, keys)) {
    return authorOf(acceptance.layers, [...claim.keys, ...keys])?.layer.name ?? 'code';
  }
  return inCode(claim, keys) ? 'code' : 'default';
}

function says(tree: Tree | undefined, keys: readonly string[]): boolean {
  let at = tree;
  for (const key of keys) {
    if (!isBranch(at)) break;
    at = at.get(key);
  }
  return at !== undefined;
}

function inCode({ code }: Claim, keys: readonly string[]): boolean {
  let at: unknown = code;
  for (const key of keys) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false;
    at = (at as Record<string, unknown>)[key];
  }
  return at !== undefined;
}

function* leavesIn(value: unknown, keys: readonly string[]): Generator<{ keys: readonly string[]; value: unknown }> {
  const isMap = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  const inner = isMap ? Object.entries(value).filter(([, part]) => part !== undefined) : [];
  if (inner.length === 0) {
    if (value !== undefined) yield { keys, value };
    return;
  }
  for (const [key, part] of inner) yield* leavesIn(part, [...keys, key]);
}
