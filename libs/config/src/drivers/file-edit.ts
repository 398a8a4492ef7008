import { Document, isAlias, isMap, isNode, isScalar, parseDocument, YAMLMap, type Node, type Pair } from 'yaml';
import type { Changes } from '../driver.js';
import { parseFile, sectionsOf, sidecarOf, type FileTexts } from './file-sections.js';

/** The text cannot be edited; the message is the rest of a sentence that starts with the file's name. */
export class NotEditable extends Error {}

/**
 * The file's texts with `changes` made in the section of `service`. Comments stay, and so does the layout, as far as the
 * writer of YAML has a choice.
 * @throws NotEditable where the file is not YAML, or a text to write is not
 */
export function edited(texts: FileTexts, service: string, changes: Changes, json: boolean): FileTexts {
  const reserved = [...changes].filter(([path]) => path.startsWith('.'));
  const settings = [...changes].filter(([path]) => !path.startsWith('.')).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    main: settings.length === 0 ? texts.main : editedMain(texts.main ?? '', service, settings, json),
    sidecar: reserved.length === 0 ? texts.sidecar : editedSidecar(texts.sidecar, service, reserved),
  };
}

type Change = readonly [path: string, text: string | undefined];

function editedMain(text: string, service: string, changes: readonly Change[], json: boolean): string {
  const file = parseFile(text) as Document;
  if (file.errors.length > 0) throw new NotEditable('is not readable as YAML and has to be repaired by hand first');
  const isEmpty = file.contents === null || (isScalar(file.contents) && file.contents.value === null);
  if (isEmpty) file.contents = new YAMLMap();
  const root: unknown = file.contents;
  if (!isMap(root)) throw new NotEditable('is no map of services and has to be repaired by hand first');
  if (sectionsOf(root, service).length > 1) throw new NotEditable(`names ${service} twice; take one of them out`);
  for (const [path, value] of changes) {
    const node = value === undefined ? undefined : nodeOf(path, value);
    if (path === '') replaceSection(file, root, service, node);
    else editSection(file, root, service, path.split('.'), node);
  }
  if (json) return `${JSON.stringify(file.toJS({ maxAliasCount: 100 }), null, 2)}\n`;
  return file.toString({ lineWidth: 0, ...layoutOf(text) });
}

/** How the file is written by hand, where YAML leaves a choice. */
function layoutOf(text: string) {
  const indent = /^( {1,8})[^\s#-]/m.exec(text)?.[1]?.length ?? 2;
  return {
    indent,
    indentSeq: !/^( *)[^\s#][^\n]*:[ \t]*\n\1- /m.test(text),
    // In a text, `{name}` is no map.
    flowCollectionPadding: /: \{ /.test(text) || !/: \{[^\s}]/.test(text),
  };
}

function nodeOf(path: string, text: string): Node {
  const parsed = parseDocument(text, { prettyErrors: false, schema: 'core' }) as Document;
  const what = path === '' ? 'the document' : path;
  if (parsed.errors.length > 0) throw new NotEditable(`was not written: the text for ${what} is not YAML`);
  if (path === '' && parsed.contents !== null && !isMap(parsed.contents)) {
    throw new NotEditable('was not written: the document has to be a map of keys to values');
  }
  const node = parsed.contents ?? parsed.createNode(null);
  if (parsed.commentBefore) node.commentBefore = parsed.commentBefore;
  return node;
}

function replaceSection(file: Document, root: YAMLMap, service: string, node: Node | undefined): void {
  const [pair] = sectionsOf(root, service);
  if (node === undefined) root.items = root.items.filter((other) => other !== pair);
  else if (pair) pair.value = node;
  else add(file, root, service, node);
}

function editSection(file: Document, root: YAMLMap, service: string, keys: readonly string[], node?: Node): void {
  let [pair] = sectionsOf(root, service);
  if (!pair) {
    if (node === undefined) return;
    pair = add(file, root, service, new YAMLMap());
  }
  // An alias stands for a part of another section, which is none of this one's.
  if (isAlias(pair.value)) pair.value = pair.value.resolve(file)?.clone() ?? null;
  if (!isMap(pair.value)) pair.value = new YAMLMap();
  const section = pair.value as YAMLMap;
  if (node === undefined || !replace(section, keys, node)) {
    remove(section, keys);
    if (node !== undefined) insert(file, section, keys, node);
  }
}

/** Puts `node` in the place of what is there, if something is; other places of the same key go. */
function replace(map: YAMLMap, keys: readonly string[], node: Node): boolean {
  let done = false;
  for (const pair of [...map.items]) {
    const own = keysOf(pair);
    if (startsWith(own, keys)) {
      if (!done && own.length === keys.length) {
        done = true;
        if (isScalar(pair.value) && isScalar(node)) {
          node.comment ??= pair.value.comment ?? null;
          node.commentBefore ??= pair.value.commentBefore ?? null;
        }
        pair.value = node;
      } else map.items = map.items.filter((other) => other !== pair);
    } else if (startsWith(keys, own) && isMap(pair.value)) {
      if (done) remove(pair.value, keys.slice(own.length));
      else done = replace(pair.value, keys.slice(own.length), node);
    }
  }
  return done;
}

/** Takes out what is at `keys` and below, and maps that have nothing else. */
function remove(map: YAMLMap, keys: readonly string[]): void {
  map.items = map.items.filter((pair) => {
    const own = keysOf(pair);
    if (startsWith(own, keys)) return false;
    if (!startsWith(keys, own) || !isMap(pair.value)) return true;
    const before = pair.value.items.length;
    remove(pair.value, keys.slice(own.length));
    return pair.value.items.length > 0 || before === 0;
  });
}

/** Adds `node` at `keys`, in the deepest map that is on the way. */
function insert(file: Document, map: YAMLMap, keys: readonly string[], node: Node): void {
  const onTheWay = map.items.filter((pair) => startsWith(keys, keysOf(pair)));
  const next = onTheWay.find(({ value }) => isMap(value)) ?? onTheWay[0];
  if (next) {
    if (!isMap(next.value)) next.value = new YAMLMap();
    return insert(file, next.value as YAMLMap, keys.slice(keysOf(next).length), node);
  }
  const [first, ...rest] = keys as [string, ...string[]];
  const inner = rest.reduceRight<Node>((below, key) => {
    const around = new YAMLMap();
    add(file, around, key, below);
    return around;
  }, node);
  add(file, map, first, inner);
}

function add(file: Document, map: YAMLMap, key: string, value: Node): Pair {
  const pair = file.createPair(key, value);
  pair.value = value;
  map.items.push(pair);
  // `{}` is all that an empty map can be in block style; with something in it, it is a block like the others.
  if (map.items.length === 1 && map.flow) map.flow = false;
  return pair;
}

function keysOf({ key }: Pair): readonly string[] {
  const value: unknown = isScalar(key) ? (typeof key.value === 'string' ? key.value : (key.source ?? key.value)) : key;
  return isNode(value) ? [] : String(value).split('.');
}

function startsWith(keys: readonly string[], start: readonly string[]): boolean {
  return start.length > 0 && start.length <= keys.length && start.every((key, index) => key === keys[index]);
}

function editedSidecar(text: string | undefined, service: string, changes: readonly Change[]): string {
  const content = new Map(Object.entries(sidecarOf(text)));
  const own = new Map(Object.entries(content.get(service) ?? {}));
  for (const [path, value] of changes) {
    if (value === undefined) own.delete(path);
    else own.set(path, value);
  }
  if (own.size === 0) content.delete(service);
  else content.set(service, Object.fromEntries(own));
  return `${JSON.stringify(Object.fromEntries(content), null, 2)}\n`;
}
