import type { Tree } from './tree.js';

/** Texts that say what they look like in YAML 1.2: these need no parser, and most values are such. */
const WORD = /^(?:[A-Za-z][A-Za-z0-9_-]*|\d{1,15}(?:ms|s|m))$/;
const NOT_WORDS = /^(?:true|false|null)$/i;
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?$/;
const LINE = /^( *)([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*)*):(?: +(\S.*?))? *(?:$| #)/;
const NO_CONTENT = /^ *(?:#.*)?$/;
const QUOTED = /^(?:"([^"\\#]*)"|'([^'#]*)')$/;

const DEEPEST = 32;
const MOST_VALUES = 20_000;

/** A single text that is a plain number, word or duration; undefined where YAML's own parser has to look at it. */
export function wordOf(text: string): number | string | undefined {
  if (NUMBER.test(text)) return Number(text);
  return WORD.test(text) && !NOT_WORDS.test(text) ? text : undefined;
}

interface Open {
  readonly indent: number;
  readonly map: Map<string, Tree>;
  readonly depth: number;
}

/**
 * Reads a document of nothing but maps in block style, plain values and comments, as most are, in a tenth of the time that
 * a parser of all of YAML takes. Undefined where there is anything else, odd or wrong: that is the parser's to judge.
 */
export function readPlainYaml(text: string): Map<string, Tree> | undefined {
  const root = new Map<string, Tree>();
  const open: Open[] = [{ indent: 0, map: root, depth: 0 }];
  /** A key without a value: what follows decides whether it has a map, and how deep that is indented. */
  let pending: Open | undefined;
  let values = 0;
  for (const line of text.split('\n')) {
    if (NO_CONTENT.test(line)) continue;
    const [, spaces, key, written] = LINE.exec(line) ?? [];
    if (spaces === undefined || key === undefined) return undefined;
    const indent = spaces.length;
    if (pending) {
      // A key with nothing below it has null, which the parser knows about.
      if (indent <= pending.indent) return undefined;
      open.push({ ...pending, indent });
      pending = undefined;
    }
    while (open.length > 1 && open.at(-1)!.indent > indent) open.pop();
    const parent = open.at(-1)!;
    const keys = key.split('.');
    const depth = parent.depth + keys.length;
    // A key with dots may be the same place as another, which is the parser's to find out.
    if (parent.indent !== indent || depth > DEEPEST) return undefined;
    let map = parent.map;
    for (const part of keys.slice(0, -1)) {
      if (map.has(part)) return undefined;
      const inner = new Map<string, Tree>();
      map.set(part, inner);
      map = inner;
    }
    const last = keys.at(-1)!;
    if (map.has(last)) return undefined;
    if (written === undefined) {
      const inner = new Map<string, Tree>();
      map.set(last, inner);
      pending = { indent, map: inner, depth };
      continue;
    }
    const value = valueOf(written);
    if (value === undefined || ++values > MOST_VALUES) return undefined;
    map.set(last, value);
  }
  return pending || root.size === 0 ? undefined : root;
}

function valueOf(written: string): string | number | boolean | undefined {
  if (written === 'true' || written === 'false') return written === 'true';
  const quoted = QUOTED.exec(written);
  return quoted ? (quoted[1] ?? quoted[2]) : wordOf(written);
}
