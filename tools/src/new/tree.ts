/** The files of a repository, as far as a generator looks at them; paths are relative to its folder, with slashes. */
export interface Tree {
  /** The text of the file; undefined where there is none. */
  read(path: string): string | undefined;
  /** The paths of all files below the folder; none where there is no such folder. */
  list(folder: string): readonly string[];
}

/** A file as it is, and as it shall be. */
export interface Change {
  readonly path: string;
  /** Undefined for a file that is new. */
  readonly before: string | undefined;
  readonly after: string;
}

/** A tree with changes that nobody has made yet. What follows one change sees it. */
export class Draft implements Tree {
  readonly #tree: Tree;
  readonly #changed = new Map<string, string>();
  readonly #kept = new Map<string, string>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  read(path: string): string | undefined {
    return this.#changed.get(path) ?? this.#tree.read(path);
  }

  list(folder: string): readonly string[] {
    const made = [...this.#changed.keys()].filter((path) => path.startsWith(`${folder}/`));
    return [...new Set([...this.#tree.list(folder), ...made])];
  }

  /** A file that is there already stays as it is: it may be somebody's work. */
  create(path: string, text: string): void {
    if (this.#tree.read(path) !== undefined) this.#kept.set(path, text);
    else if (!this.#changed.has(path)) this.#changed.set(path, text);
  }

  /** Changes a file by what it is; a file that is not there is left alone. */
  edit(path: string, edit: (text: string) => string): void {
    const before = this.read(path);
    if (before === undefined) return;
    const after = edit(before);
    if (after !== before) this.#changed.set(path, after);
  }

  get changes(): readonly Change[] {
    return [...this.#changed].map(([path, after]) => ({ path, before: this.#tree.read(path), after }));
  }

  /** Files that would have been made and are there already: as they are, and as they would be. */
  get kept(): readonly Change[] {
    return [...this.#kept].map(([path, after]) => ({ path, before: this.#tree.read(path), after }));
  }
}
