/** A line at the very left that opens a section and has nothing else. */
const SECTION = /^([A-Za-z0-9_-]+):(?: *#.*)?$/;
const NOT_AT_LEFT = /^[ \t]|^$/;
/** What may reach beyond the lines of a section: anchors and aliases, tabs, carriage returns, scalars that keep blank lines. */
const REACHES_OUT = /[&*\t\r\ufeff]|[|>]\d*\+/;

/** The sections of a file by name, each as a text of its own, or undefined where only a parser can tell them apart. */
export type Sections = ReadonlyMap<string, string> | undefined;

/**
 * Cuts a file into sections by its lines. It works for files in block style, as most are: what is not at the very left belongs to
 * the key above it. A section comes out as it is written, comments included, and what is wrong in one is no other's problem.
 */
export function cutSections(text: string): Sections {
  if (REACHES_OUT.test(text)) return undefined;
  const sections = new Map<string, string[]>();
  let lines: string[] | undefined;
  for (const line of text.split('\n')) {
    const name = SECTION.exec(line)?.[1];
    if (name !== undefined) {
      if (sections.has(name)) return undefined;
      sections.set(name, (lines = []));
    } else if (NOT_AT_LEFT.test(line)) {
      if (!lines && line.trim() !== '') return undefined;
      lines?.push(line);
    } else if (!line.startsWith('#')) return undefined;
  }
  const texts = new Map<string, string>();
  for (const [name, own] of sections) {
    const section = outdented(own);
    if (section === undefined) return undefined;
    texts.set(name, section);
  }
  return texts;
}

function outdented(lines: readonly string[]): string | undefined {
  const indent = lines.find((line) => /^ +[^ #]/.test(line))?.search(/[^ ]/);
  if (indent === undefined) return 'null\n';
  const own: string[] = [];
  for (const line of lines) {
    const start = line.search(/[^ ]/);
    if (start >= indent || start === -1) own.push(line.slice(indent));
    else if (line[start] === '#') own.push(line.slice(start));
    else return undefined;
  }
  while (own.at(-1) === '') own.pop();
  return `${own.join('\n')}\n`;
}
