import { isDeepStrictEqual } from 'node:util';
import { StartupError, type Live } from '@holdfast/core';
import type { z } from 'zod';
import { LiveValue } from './live-value.js';
import { mergeOver, sameTree, type Tree } from './tree.js';

/** What is asked for: a subtree of the settings, the schema that it must satisfy, and what the code says of it. */
export interface Demand {
  readonly key: string;
  readonly schema: z.ZodType;
  /** What the code itself says, below all stores. @default nothing */
  readonly code?: unknown;
}

export type Decoded = { readonly value: unknown } | { readonly reason: string; readonly at: readonly string[] };

/** A demand of this process, and the cell that follows it. */
export class Claim {
  readonly key: string;
  readonly keys: readonly string[];
  readonly schema: z.ZodType;
  readonly code: unknown;
  /** What is in use of the first store, of the first two, and so on. */
  said: readonly (Tree | undefined)[] = [];
  /** Why what the stores said could not be used when it was claimed, so that it has what the code says. */
  reason: string | undefined;
  readonly #live: LiveValue<unknown>;
  readonly #base: unknown;

  /** @throws StartupError where the schema refuses what the code says, or the key is none */
  constructor({ key, schema, code }: Demand) {
    this.key = key;
    this.keys = key.split('.');
    this.schema = schema;
    this.code = code;
    if (this.keys.includes('') || this.keys.includes('__proto__')) {
      throw new StartupError(
        `The config key "${key}" is none; write words with dots between them, such as greeting.size.`,
      );
    }
    // A schema for an object of which all has defaults needs no value, but zod wants an object to put them into.
    this.#base = code === undefined && !accepts(schema, undefined) && accepts(schema, {}) ? {} : code;
    const decoded = this.decode(undefined);
    if ('reason' in decoded) {
      throw new StartupError(
        `The config key "${key}" has no usable default (${decoded.reason}); write one in its schema or in the code.`,
      );
    }
    this.#live = new LiveValue(decoded.value);
  }

  /** What all stores together say for it, of what is in use. */
  get overrides(): Tree | undefined {
    return this.said.at(-1);
  }

  get live(): Live<unknown> {
    return this.#live;
  }

  /** The value with `overrides` over what the code says, or why there is none, as "greeting.size: expected number". */
  decode(overrides: Tree | undefined): Decoded {
    try {
      const result = this.schema.safeParse(overrides === undefined ? this.#base : mergeOver(this.#base, overrides));
      if (result.success) return { value: result.data };
      const [issue] = result.error.issues;
      const at = [...this.keys, ...(issue?.path ?? []).map(String)];
      return { reason: `${at.join('.')}: ${expectation(issue)}`, at };
    } catch {
      // A schema's own function threw; what it says may hold the value.
      return { reason: `${this.key}: its schema cannot judge it`, at: this.keys };
    }
  }

  /**
   * The value by all layers, where `said` is what the first says, the first two, and so on. Those below must be good without
   * those above: what is bad in a file is not good because a stronger store happens to say something else there today.
   */
  decodeAll(said: readonly (Tree | undefined)[]): Decoded & { readonly layer: number } {
    let [result, layer] = [this.decode(said[0]), 0];
    while (!('reason' in result) && layer + 1 < said.length) {
      layer++;
      if (!sameTree(said[layer], said[layer - 1])) result = this.decode(said[layer]);
    }
    return { ...result, layer };
  }

  /** Takes a decoded value; what is returned tells the listeners. Undefined where the value is equal to the last. */
  assign(value: unknown): readonly (() => void)[] | undefined {
    return isDeepStrictEqual(this.#live.value, value) ? undefined : this.#live.assign(value);
  }
}

function accepts(schema: z.ZodType, value: unknown): boolean {
  try {
    return schema.safeParse(value).success;
  } catch {
    return false;
  }
}

/** What is expected. zod's own messages name types and bounds, and never the value itself. */
function expectation(issue: z.core.$ZodIssue | undefined): string {
  return (issue?.message ?? 'is wrong').replace(/^Invalid input: |\.$/g, '');
}
