import { createHash } from 'node:crypto';
import { Document, isMap, isScalar, parseDocument, type Node, type YAMLMap } from 'yaml';
import type { Reading } from '../driver.js';
import { cutSections } from './file-cut.js';

/** Longer files are not parsed: Config refuses what it is given of them. In characters. */
const LONGEST_FILE = 4 * 1024 * 1024;

/** What is on the disk: the file's text, and that of the file beside it with what the platform wrote for itself. */
export interface FileTexts {
  /** Undefined where there is no file. */
  readonly main: string | undefined;
  readonly sidecar: string | undefined;
}

/** Entries by path, for each service. */
export type Sidecar = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** How the file is read, always the same, so that what is read can be written. Duplicates are Config's to find. */
export function parseFile(text: string): Document.Parsed {
  return parseDocument(text, { uniqueKeys: false, prettyErrors: false, schema: 'core' });
}

/** Whether the text is such as a write that is under way leaves behind: nothing, half a line, or YAML that breaks off. */
export function looksCutOff(text: string): boolean {
  if (text.trim() === '' || !text.endsWith('\n')) return true;
  return text.length <= LONGEST_FILE && !cutSections(text) && parseFile(text).errors.length > 0;
}

/** What the file says of one service. */
export function readingOf(texts: FileTexts, service: string): Reading {
  const entries = new Map<string, string>();
  const document = texts.main === undefined ? undefined : documentOf(texts.main, service);
  if (document !== undefined) entries.set('', document);
  const own = sidecarOf(texts.sidecar);
  for (const [path, text] of Object.entries(Object.hasOwn(own, service) ? own[service]! : {})) entries.set(path, text);
  const digest = createHash('sha256').update(JSON.stringify([...entries]));
  return { entries, cursor: digest.digest('base64url').slice(0, 22) };
}

/** The section of `service` as a text of its own; the whole file where that cannot be told apart, so that Config says why. */
function documentOf(text: string, service: string): string | undefined {
  if (text.trim() === '') return undefined;
  if (text.length > LONGEST_FILE) return text;
  const sections = cutSections(text);
  return sections ? sections.get(service) : parsedSection(text, service);
}

function parsedSection(text: string, service: string): string | undefined {
  const file = parseFile(text);
  if (file.errors.length > 0) return text;
  const root: unknown = file.contents;
  if (root === null || (isScalar(root) && root.value === null)) return undefined;
  if (!isMap(root)) return text;
  const sections = sectionsOf(root, service);
  if (sections.length > 1) return text;
  return sections[0] && sectionText(file, sections[0].value as Node | null);
}

/** The top-level pairs whose key is `service`. */
export function sectionsOf(root: YAMLMap, service: string): YAMLMap['items'] {
  return root.items.filter(({ key }) => (isScalar(key) ? key.value : key) === service);
}

function sectionText(file: Document, section: Node | null): string {
  if (section === null || (isScalar(section) && section.value === null)) return 'null\n';
  try {
    const alone = new Document();
    alone.contents = section;
    return alone.toString({ lineWidth: 0 });
  } catch {
    // It has aliases of anchors in other sections.
    return `${JSON.stringify(section.toJS(file, { maxAliasCount: 100 }), null, 2)}\n`;
  }
}

/** What the platform wrote for itself. A sidecar that cannot be read is as good as none: it holds no settings. */
export function sidecarOf(text: string | undefined): Sidecar {
  try {
    const content: unknown = JSON.parse(text ?? '{}');
    return typeof content === 'object' && content !== null ? (content as Sidecar) : {};
  } catch {
    return {};
  }
}
