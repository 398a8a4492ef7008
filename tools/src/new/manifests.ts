import { StartupError } from '@holdfast/core';
import { isMap, isScalar, isSeq, parseAllDocuments, parseDocument, type Document, type Node, type Pair } from 'yaml';

type Step = string | ((value: unknown) => boolean);

/**
 * A YAML text with a copy of one entry behind it, changed by `change`; all other lines and comments stay as they are.
 * @param path to the entry: keys of maps, and for lists a test of what the item is
 * @param there whether the entry is in the list or map already, by the same test or the new key
 * @throws StartupError where there is no such entry
 */
export function withCopy(
  text: string,
  file: string,
  path: readonly Step[],
  there: Step,
  change: (entry: string) => string,
): string {
  const parents = path.slice(0, -1);
  const last = path.at(-1)!;
  const { items, end } = entriesAt(text, file, parents);
  if (items.some((item) => matches(item, there))) return text;
  const index = items.findIndex((item) => matches(item, last));
  if (index < 0) {
    const name = path.map((step) => (typeof step === 'string' ? step : '…')).join('.');
    throw new StartupError(
      `${file} has nothing at ${name} that an entry of a new app could be made from: add it by hand.`,
    );
  }
  const lineStart = (offset: number) => text.lastIndexOf('\n', offset - 1) + 1;
  // Of the comments before an entry, those that stand directly above it are its own.
  const ownStart = (offset: number) => {
    let start = lineStart(offset);
    const indent = /^ */.exec(text.slice(start))![0];
    for (;;) {
      const above = lineStart(start - 1);
      if (start === 0 || !text.slice(above, start).startsWith(`${indent}#`)) return start;
      start = above;
    }
  };
  const from = lineStart(items[index]!.start);
  const to = index + 1 < items.length ? ownStart(items[index + 1]!.start) : end;
  const entry = text.slice(from, to);
  const body = entry.trimEnd();
  const rest = entry.slice(body.length) || '\n';
  const gap = rest.length > 1 ? rest : '\n';
  return `${text.slice(0, from)}${body}${gap}${change(body)}${rest}${text.slice(to)}`;
}

/** A text of several documents with a copy of each that `wanted` picks at the end of its kind. */
export function withDocuments(
  text: string,
  wanted: RegExp,
  there: RegExp,
  change: (document: string) => string,
): string {
  if (there.test(text)) return text;
  const parts = text.split(/^---\n/m);
  const copies = parts.filter((part) => wanted.test(part)).map((part) => change(part));
  return [...parts.slice(0, -1), ...copies, parts.at(-1)!]
    .map((part) => (part.endsWith('\n') ? part : `${part}\n`))
    .join('---\n');
}

/** Lets `caller` in at the gRPC port of the app whose network policy this is. */
export function admitting(text: string, caller: string): string {
  const document = parseDocument(text);
  const rules = document.getIn(['spec', 'ingress']);
  const items = isSeq(rules) ? rules.items : [];
  const index = items.findIndex((item) => JSON.stringify((item as Node).toJS(document).ports)?.includes('"grpc"'));
  if (index < 0) {
    document.setIn(['spec', 'ingress'], document.createNode([...items, ruleOf(document, 'from', caller, 'grpc')]));
  } else {
    const from = ['spec', 'ingress', index, 'from'];
    if (names(document, from).includes(caller)) return text;
    document.addIn(from, podsOf(document, caller));
  }
  return printed(document);
}

/** Lets the app whose network policy this is call `target`. */
export function reaching(text: string, target: string): string {
  const document = parseDocument(text);
  const rules = document.getIn(['spec', 'egress']);
  const count = isSeq(rules) ? rules.items.length : 0;
  const known = Array.from({ length: count }, (_, index) => names(document, ['spec', 'egress', index, 'to'])).flat();
  if (known.includes(target)) return text;
  const rule = ruleOf(document, 'to', target, 50_051);
  if (count > 0) document.addIn(['spec', 'egress'], rule);
  else document.setIn(['spec', 'egress'], document.createNode([rule]));
  const types = document.getIn(['spec', 'policyTypes']);
  if (isSeq(types) && !(types.toJS(document) as string[]).includes('Egress')) types.add(document.createNode('Egress'));
  return printed(document);
}

/** The policy of an app that nobody calls yet, and that calls nobody. */
export function unconnected(text: string): string {
  const document = parseDocument(text);
  document.setIn(['spec', 'policyTypes'], document.createNode(['Ingress'], { flow: true }));
  document.setIn(['spec', 'ingress'], document.createNode([], { flow: true }));
  document.deleteIn(['spec', 'egress']);
  return printed(document);
}

/** The pods of an app, written on one line as the other policies have it. */
function podsOf(document: Document, app: string): Node {
  const labels = { matchLabels: { 'app.kubernetes.io/name': app } };
  return document.createNode({ podSelector: document.createNode(labels, { flow: true }) });
}

function ruleOf(document: Document, side: 'from' | 'to', app: string, port: string | number): Node {
  const ports = [document.createNode({ protocol: 'TCP', port }, { flow: true })];
  return document.createNode({ [side]: [podsOf(document, app)], ports });
}

function names(document: Document, path: readonly unknown[]): readonly unknown[] {
  const peers = document.getIn(path);
  if (!isSeq(peers)) return [];
  const found = peers.toJS(document) as { podSelector?: { matchLabels?: Record<string, string> } }[];
  return found.map((one) => one.podSelector?.matchLabels?.['app.kubernetes.io/name']);
}

function printed(document: Document): string {
  return document.toString({ lineWidth: 0 });
}

interface Entry {
  readonly key: unknown;
  readonly value: unknown;
  readonly start: number;
}

function entriesAt(text: string, file: string, path: readonly Step[]): { items: readonly Entry[]; end: number } {
  const document = parseAllDocuments(text)[0] as Document;
  let node: unknown = document.contents;
  for (const step of path) node = isMap(node) ? node.get(step, true) : undefined;
  if (!isMap(node) && !isSeq(node)) {
    throw new StartupError(`${file} has no ${path.join('.')} for a new app to be added to: add it by hand.`);
  }
  const items = node.items.map((item): Entry => {
    const pair = isMap(node) ? (item as Pair<Node, Node>) : undefined;
    const first = (pair ? pair.key : item) as Node;
    const value = pair ? pair.value : (item as Node);
    return { key: isScalar(first) ? first.value : undefined, value: value?.toJS(document), start: first.range![0] };
  });
  return { items, end: node.range![2] };
}

function matches({ key, value }: Entry, step: Step): boolean {
  return typeof step === 'string' ? key === step : step(value);
}
