import { parseEntry } from './entry.js';
import {
  changesBetween,
  documentOf,
  EMPTY_MAP,
  isWithin,
  leafTexts,
  leavesOf,
  NULL,
  settingsIn,
  textOf,
  type Leaves,
} from './leaves.js';
import { isBranch, type Branch, type Tree } from './tree.js';

/** The most single values that a way back writes; beyond that it writes the document. Consul takes 64 steps at once. */
const MOST_SINGLE_VALUES = 40;

/**
 * What a store will say, and the texts to write for it. Values are written one by one, so that the same is said whether the
 * store keeps entries or a document; and nothing is ever deleted, since a process takes a missing entry for an accident.
 */
export class Draft {
  /** What the store says at present. */
  readonly before: Leaves;
  /** Texts to write, by entry. */
  readonly writes = new Map<string, string>();
  /** What the operator wants said, by path. */
  readonly wanted = new Map<string, string>();
  /** Why it cannot be, as sentences without a full stop. */
  readonly refusals: string[] = [];
  readonly #read: ReadonlyMap<string, string>;
  #entries: Map<string, string>;
  readonly #weaker: Branch;

  /**
   * @param entries what was read from the store
   * @param weaker what the stores below it say together
   */
  constructor(entries: ReadonlyMap<string, string>, weaker: Branch) {
    this.#read = entries;
    this.#entries = new Map(entries);
    this.#weaker = weaker;
    this.before = leavesOf(entries);
  }

  /** All entries as they will be. */
  get entries(): ReadonlyMap<string, string> {
    return this.#entries;
  }

  /** Says `text` at `path`; at `''` it is all that the store says from then on. A map is said value by value, and `null` takes back. */
  set(path: string, text: string): void {
    const parsed = parseEntry(path, text);
    if ('reason' in parsed) {
      this.refusals.push(`${path === '' ? 'the document' : path} ${parsed.reason}`);
    } else if (path === '') this.#replace(text, parsed.entry.tree);
    else for (const [keys, leaf] of leafTexts(parsed.entry.tree, parsed.entry.keys)) this.#say(keys.join('.'), leaf);
  }

  /**
   * Says again what the store said at another time. A value that was not there then cannot be deleted, so it becomes what the
   * weaker stores say of it today, or `null` where they say nothing: either gives what a missing value would.
   */
  restore(then: Leaves): void {
    if (then.has('')) this.refusals.push('what the document said then is not readable as YAML');
    else if (!this.#restoreSingly(then)) this.set('', documentOf(then));
  }

  /** What the store will say. Adds a refusal where that is not what is wanted. */
  after(): Leaves {
    const after = leavesOf(this.#entries);
    const isSaid = (path: string) => [...after].some(([leaf, text]) => text !== NULL && isWithin(leaf, path));
    for (const [path, text] of this.wanted) {
      if (text === NULL ? isSaid(path) : text === EMPTY_MAP ? !isSaid(path) : after.get(path) !== text) {
        this.refusals.push(
          `${path} cannot be set while another entry of the store is in its way; delete that one first`,
        );
      }
    }
    return after;
  }

  #replace(text: string, tree: Tree): void {
    this.#write('', text);
    for (const [keys, leaf] of leafTexts(tree, [])) if (keys.length > 0) this.wanted.set(keys.join('.'), leaf);
    // Single entries win over the document, so they must say what it says.
    for (const path of settingsIn(this.#entries)) {
      if (path === '') continue;
      const own = at(tree, path.split('.'));
      const word = own === undefined ? this.#weakerWord(path) : own;
      this.#write(path, word === undefined ? NULL : textOf(word));
    }
  }

  #say(path: string, text: string): void {
    if (text === NULL) return this.#takeBack(path);
    this.wanted.set(path, text);
    if (text === EMPTY_MAP && this.#saidWithin(path).some(([, leaf]) => leaf !== NULL)) return;
    if (this.before.get(path) !== text) this.#write(path, text);
  }

  #takeBack(path: string): void {
    const said = this.#saidWithin(path).some(([leaf, text]) => leaf !== path || text !== NULL);
    const hides = this.#weakerWord(path) !== undefined && this.before.get(path) !== NULL;
    if (!said && !hides) return;
    this.wanted.set(path, NULL);
    this.#write(path, NULL);
    for (const entry of settingsIn(this.#entries)) if (entry !== '' && isWithin(entry, path)) this.#write(entry, NULL);
  }

  /** Writes what differs value by value, which leaves a document its comments; false, and no more, where that cannot do it. */
  #restoreSingly(then: Leaves): boolean {
    const paths = [...new Set([...this.before.keys(), ...then.keys()])].sort();
    const differing = paths.filter((path) => this.before.get(path) !== then.get(path));
    // Which of the values below an empty map go with it differs between a document and entries.
    const needsDocument = (path: string) => path === '' || then.get(path) === EMPTY_MAP;
    if (differing.length > MOST_SINGLE_VALUES || differing.some(needsDocument)) return false;
    for (const path of differing) this.#restore(path, then);
    if (this.#isAsGoodAs(then)) return true;
    this.#entries = new Map(this.#read);
    this.writes.clear();
    this.wanted.clear();
    return false;
  }

  #isAsGoodAs(then: Leaves): boolean {
    const differences = [...changesBetween(leavesOf(this.#entries), then)];
    return differences.every(([path, { before = NULL, after }]) => {
      const weaker = after === undefined ? this.#weakerWord(path) : undefined;
      return before === (weaker === undefined ? (after ?? NULL) : textOf(weaker));
    });
  }

  #restore(path: string, then: Leaves): void {
    const text = then.get(path);
    const saidAround = () =>
      [...then].some(([leaf, word]) => isWithin(path, leaf) || (isWithin(leaf, path) && word !== NULL));
    if (text === NULL) this.#takeBack(path);
    else if (text !== undefined) this.#say(path, text);
    else if (!saidAround()) this.#leaveTo(path);
  }

  /** Lets a place be as if the store said nothing there. */
  #leaveTo(path: string): void {
    const weaker = this.#weakerWord(path);
    if (weaker === undefined) this.#takeBack(path);
    else for (const [keys, leaf] of leafTexts(weaker, path.split('.'))) this.#say(keys.join('.'), leaf);
  }

  #weakerWord(path: string): Tree | undefined {
    return at(this.#weaker, path.split('.'));
  }

  #saidWithin(path: string): readonly (readonly [string, string])[] {
    return [...this.before].filter(([leaf]) => isWithin(leaf, path));
  }

  #write(path: string, text: string): void {
    if (this.#entries.get(path) === text) return;
    this.#entries.set(path, text);
    this.writes.set(path, text);
  }
}

function at(tree: Tree, keys: readonly string[]): Tree | undefined {
  let found: Tree | undefined = tree;
  for (const key of keys) {
    if (!isBranch(found)) return undefined;
    found = found.get(key);
  }
  return found;
}
