import { z } from 'zod';
import type { Demand } from './claim.js';

/** What is known of one key from its schema. */
export interface KeyFacts {
  /** The whole key, such as `resilience.users.get.timeout`. */
  readonly key: string;
  /** In words: duration · whole number · number · true or false · text · list · map · one of a, b · any value */
  readonly type: string;
  /** In words, `milliseconds`; empty where there is none. */
  readonly unit: string;
  /** In words, `1 to 100`; empty where there is none. */
  readonly range: string;
  /** What the schema itself says; undefined where it says nothing. */
  readonly default: unknown;
  /** What it means; empty where the schema does not say. */
  readonly meaning: string;
  /** Whether its value must never be shown: its schema, or one around it, has `.meta({ secret: true })`. */
  readonly secret: boolean;
}

/** The part of JSON Schema that zod writes and that is read here. */
interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: boolean | Node;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly secret?: boolean;
}

/** Descriptions put the range after the meaning: "How long a call may wait; 1ms to 60m. More …". */
const RANGE = /; ((?:above )?\d[\d,.]*(?:ms|s|m)?,? to \d[\d,]*(?:ms|s|m)?)(?=[.,;]|$)/;
const UNIT = /, in (milliseconds|seconds|percent|bytes)(?=[.,;]|$)/;
const WITH_UNIT = /\d(?:ms|s|m)$/;

/** The facts of every key below `demand`, in the order of its schema; one of a map with free names has `<name>` in it. */
export function keyFactsOf(demand: Demand): readonly KeyFacts[] {
  return [...factsBelow(nodesOf(demand), demand.key, false)];
}

/** What keys there are in all, by the demands of a service. */
export class KeyGuide {
  readonly #roots: ReadonlyMap<string, Nodes>;
  readonly #names: readonly string[];

  constructor(demands: Iterable<Demand>) {
    this.#roots = new Map([...demands].map((demand) => [demand.key, nodesOf(demand)]));
    this.#names = [...this.#roots].flatMap(([key, nodes]) => [...namesBelow(nodes.input, key)]);
  }

  /** The keys that are asked for, in their order. */
  get roots(): readonly string[] {
    return [...this.#roots.keys()];
  }

  /** The facts of `path`; undefined where nothing can be said, or only of what is below it. */
  factsOf(path: string): KeyFacts | undefined {
    const found = this.#find(path);
    return found && factsAt(found.nodes, path, found.secret);
  }

  /** Whether somebody may ask for `path`, or for something below it. */
  knows(path: string): boolean {
    return this.#find(path) !== undefined || this.roots.some((key) => key.startsWith(`${path}.`));
  }

  /** Whether the value at `path` must not be shown: it is a secret, has one in it, or nobody can tell. */
  hides(path: string): boolean {
    const found = this.#find(path);
    return !found || found.secret || [...factsBelow(found.nodes, path, false)].some(({ secret }) => secret);
  }

  /** Why `path` is no key, with the one that was probably meant. */
  strangerReason(path: string): string {
    const near = this.#nearest(path);
    const hint = near === undefined ? `there are ${this.roots.join(', ')}` : `did you mean ${near}?`;
    return `there is no key ${path}; ${hint}`;
  }

  #find(path: string): { nodes: Nodes; secret: boolean } | undefined {
    const key = this.roots
      .filter((root) => path === root || path.startsWith(`${root}.`))
      .sort((a, b) => b.length - a.length)[0];
    if (key === undefined) return undefined;
    let nodes: Nodes | undefined = this.#roots.get(key)!;
    let secret = nodes.input.secret === true;
    for (const part of path
      .slice(key.length + 1)
      .split('.')
      .filter(Boolean)) {
      nodes = inner(nodes, part);
      if (!nodes) return undefined;
      secret ||= nodes.input.secret === true;
    }
    return { nodes, secret };
  }

  #nearest(path: string): string | undefined {
    const left = this.#names.find((name) => name.endsWith(`.${path}`));
    if (left !== undefined) return left;
    let [best, least]: [string | undefined, number] = [undefined, Math.max(2, Math.floor(path.length / 4)) + 1];
    for (const name of this.#names) {
      const distance = editDistance(path, name, least);
      if (distance < least) [best, least] = [name, distance];
    }
    return best;
  }
}

/** What may be written, and what comes of it: only the latter has the defaults of values that are transformed. */
interface Nodes {
  readonly input: Node;
  readonly output: Node;
}

function nodesOf({ schema }: Demand): Nodes {
  const read = (io: 'input' | 'output') =>
    z.toJSONSchema(schema, { io, unrepresentable: 'any', cycles: 'ref' }) as Node;
  return { input: read('input'), output: read('output') };
}

function* factsBelow(nodes: Nodes, path: string, secretAbove: boolean): Generator<KeyFacts> {
  const secret = secretAbove || nodes.input.secret === true;
  const { properties, additionalProperties: free } = nodes.input;
  if (!properties && !isNode(free)) return void (yield factsAt(nodes, path, secret));
  for (const key of Object.keys(properties ?? {})) yield* factsBelow(inner(nodes, key)!, `${path}.${key}`, secret);
  if (isNode(free) && Object.keys(free).length > 0) {
    const below = isNode(nodes.output.additionalProperties) ? nodes.output.additionalProperties : {};
    yield* factsBelow({ input: free, output: below }, `${path}.<name>`, secret);
  }
}

function* namesBelow(node: Node, path: string): Generator<string> {
  yield path;
  for (const [key, below] of Object.entries(node.properties ?? {})) yield* namesBelow(below, `${path}.${key}`);
}

function factsAt({ input, output }: Nodes, key: string, secret: boolean): KeyFacts {
  const description = input.description ?? '';
  const words = RANGE.exec(description)?.[1];
  return {
    key,
    type: typeOf(input, words),
    unit: UNIT.exec(description)?.[1] ?? '',
    range: words ?? rangeOf(input),
    default: secret ? undefined : (input.default ?? output.default),
    meaning: description.replace(RANGE, ''),
    secret,
  };
}

function typeOf({ type, enum: options, const: only, anyOf }: Node, range: string | undefined): string {
  if (options) return `one of ${options.map(String).join(', ')}`;
  if (only !== undefined) return String(only);
  if (anyOf) return [...new Set(anyOf.map((node) => typeOf(node, undefined)))].join(' or ');
  if (type === undefined) return range !== undefined && WITH_UNIT.test(range) ? 'duration' : 'any value';
  return (
    { integer: 'whole number', boolean: 'true or false', string: 'text', array: 'list', object: 'map' }[type] ?? type
  );
}

function rangeOf({ type, minimum, maximum, minLength, maxLength }: Node): string {
  const [unit, low, high] = type === 'string' ? [' characters', minLength, maxLength] : ['', minimum, maximum];
  const least = low === undefined || low === Number.MIN_SAFE_INTEGER ? undefined : low.toLocaleString('en');
  const most = high === undefined || high === Number.MAX_SAFE_INTEGER ? undefined : high.toLocaleString('en');
  if (least === undefined && most === undefined) return '';
  if (type === 'string' && low === 1 && most === undefined) return 'not empty';
  if (least === undefined) return `up to ${most}${unit}`;
  return most === undefined ? `${least}${unit} or more` : `${least} to ${most}${unit}`;
}

function inner({ input, output }: Nodes, key: string): Nodes | undefined {
  const found = innerNode(input, key);
  return found && { input: found, output: innerNode(output, key) ?? {} };
}

/** What stands at `key` in a map; undefined where the map has no such key. */
function innerNode(node: Node, key: string): Node | undefined {
  if (node.anyOf) return node.anyOf.flatMap((option) => innerNode(option, key) ?? [])[0];
  if (node.properties && Object.hasOwn(node.properties, key)) return node.properties[key];
  const free = node.additionalProperties;
  if (isNode(free)) return free;
  // What the schema cannot tell of is for the schema to judge.
  return free === true || (node.type === undefined && node.enum === undefined) ? {} : undefined;
}

function isNode(value: boolean | Node | undefined): value is Node {
  return typeof value === 'object';
}

/** Insertions, deletions, changes and swaps of neighbours from `a` to `b`; `most` where it is not less. Source: Damerau, CACM 1964. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) >= most) return most;
  let [last, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (same ? 0 : 1),
        swapped ? last[j - 2]! + 1 : Infinity,
      );
    }
    [last, row] = [row, next];
  }
  return Math.min(row[b.length]!, most);
}
