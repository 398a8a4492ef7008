import ts from 'typescript';
import type { Forms, Noun } from './words.js';

/** One occurrence of the old noun. */
interface Place {
  readonly word: string;
  /** All that is before it in the same token, comment or line, and all that is after it. */
  readonly before: string;
  readonly after: string;
}

/** Which form of the noun a place takes; undefined where the word is another one. */
type Style = (place: Place) => keyof Forms | undefined;

/** Persons who make good users and poor orders. */
const things: Readonly<Record<string, string>> = {
  Alice: 'First',
  alice: 'first',
  bob: 'second',
  carol: 'third',
  dave: 'fourth',
};

/**
 * The text with `from` replaced by `to`, in each place as that place writes names: `UsersClient` becomes `LineItemsClient`,
 * `./users.client.js` `./line-items.client.js`, and "a user" in a comment "an order".
 * @param path of the file, whose ending says what language it is in
 */
export function renamed(text: string, path: string, from: Noun, to: Noun): string {
  const change = (part: string, style: Style) => replace(part, from, to, style);
  const result = path.endsWith('.ts')
    ? piecesOf(text).map(({ text: piece, kind }) => change(piece, styleOf[kind])).join('') // prettier-ignore
    : text.split('\n').map((line) => changeLine(line, path, change)).join('\n'); // prettier-ignore
  return result.replaceAll(/\b(?:Alice|alice|bob|carol|dave)\b/g, (name) => things[name]!);
}

/** The path with `from` replaced by `to`: contracts are in folders with underscores, all else is in such with hyphens. */
export function renamedPath(path: string, from: Noun, to: Noun): string {
  return replace(path, from, to, () => (path.startsWith('proto/') ? 'snake' : 'kebab'));
}

function changeLine(line: string, path: string, change: (part: string, style: Style) => string): string {
  const comment = line.search(path.endsWith('.proto') ? /\/\// : /(?:^|\s)#/);
  const [code, rest] = comment < 0 ? [line, ''] : [line.slice(0, comment), line.slice(comment)];
  return change(code, path.endsWith('.proto') ? inContract : inData) + change(rest, inProse);
}

function replace(text: string, from: Noun, to: Noun, style: Style): string {
  const { one, many } = from;
  const words = [many.pascal, one.pascal, many.camel, one.camel];
  // Not within another word, but as a part of a longer name.
  const found = new RegExp(
    `(?<article>\\b[Aa]n? )?(?:(?<![A-Za-z])(?=[a-z])|(?=[A-Z]))(?<word>${words.join('|')})(?![a-z])`,
    'g',
  );
  return text.replaceAll(found, (all: string, article: string | undefined, word: string, at: number) => {
    const start = at + all.length - word.length;
    const form = style({ word, before: text.slice(0, start), after: text.slice(start + word.length) });
    if (form === undefined) return all;
    const forms = word.toLowerCase() === many.camel ? to.many : to.one;
    const upper = /^[A-Z]/.test(word);
    const name = upper && form === 'prose' ? forms.prose[0]!.toUpperCase() + forms.prose.slice(1) : forms[form];
    return `${article ? `${article[0]}${/^(?:[aeio]|u(?!ni|se|ti))/i.test(name) ? 'n' : ''} ` : ''}${name}`;
  });
}

const inCode: Style = ({ word, before, after }) => {
  if (/^[A-Z]/.test(word)) return 'pascal';
  return before.endsWith('_') || after.startsWith('_') ? 'snake' : 'camel';
};

/** Names of contracts have underscores, wherever they stand. */
const isContract = ({ before, after }: Place) => /^[./]v\d/.test(after) || /v\d\/$/.test(before);

/** What is part of a path, an address or a dotted name. */
const isPath = ({ before, after }: Place) =>
  /^[-./:@]\w/.test(after) || /[\w.~][-./:@]$|(?:^|[\s'"`{(])\/$/.test(before);

const inProse: Style = (place) => {
  const { word, before, after } = place;
  if (/^[A-Z]/.test(word)) return /[\w$`#]$/.test(before) || /^[\w$`]/.test(after) ? 'pascal' : 'prose';
  if (isContract(place)) return 'snake';
  if (/[\w$]$/.test(before) || /^[\w$]/.test(after)) return inCode(place);
  return isPath(place) || before.endsWith('`') || before.endsWith('event: ') ? 'kebab' : 'prose';
};

const inString: Style = (place) => {
  const { word, before, after } = place;
  const alone = /^['"`]?$/.test(before) && /^['"`]?$/.test(after);
  return alone && /^[a-z]/.test(word) ? 'kebab' : inProse(place);
};

const inContract: Style = ({ word }) => (/^[A-Z]/.test(word) ? 'pascal' : 'snake');
const inData: Style = ({ word, before, after }) => {
  // Whom a container runs as is Compose's own word.
  if (/^\s*$/.test(before) && word === 'user' && after.startsWith(':')) return undefined;
  return /^[A-Z]/.test(word) ? 'pascal' : 'kebab';
};

const inTable: Style = () => 'snake';

const styleOf = { code: inCode, string: inString, table: inTable, comment: inProse };

interface Piece {
  readonly text: string;
  readonly kind: keyof typeof styleOf;
}

/** A program's text, taken apart into what is code, a string, the name of a table, or a comment. */
function piecesOf(text: string): readonly Piece[] {
  const file = ts.createSourceFile('any.ts', text, ts.ScriptTarget.Latest, true);
  const pieces: Piece[] = [];
  let end = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    if (children.length > 0) return children.forEach(visit);
    const start = node.getStart(file);
    if (start > end) pieces.push({ text: text.slice(end, start), kind: 'comment' });
    pieces.push({ text: text.slice(start, node.end), kind: kindOf(node, file) });
    end = node.end;
  };
  visit(file);
  pieces.push({ text: text.slice(end), kind: 'comment' });
  return pieces;
}

function kindOf(node: ts.Node, file: ts.SourceFile): Piece['kind'] {
  const { parent } = node;
  if (ts.isStringLiteral(node)) {
    const call = parent && ts.isCallExpression(parent) ? parent.expression.getText(file) : '';
    return /(?:From|Into|Table)$/.test(call) || /@holdfast\/proto\//.test(node.text) ? 'table' : 'string';
  }
  if (ts.isTemplateLiteralToken(node)) return 'string';
  const isTable = ts.isPropertySignature(parent) && ts.isInterfaceDeclaration(parent.parent);
  return isTable && parent.parent.name.text === 'Tables' && ts.isIdentifier(node) ? 'table' : 'code';
}
