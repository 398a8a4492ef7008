import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the compiler has written, looked at to learn which apps a change reaches. */
export class BuildOutput {
  readonly #root: string;
  readonly #apps: readonly string[];
  #seen: ReadonlyMap<string, number>;

  /** @param apps folders below `apps/` */
  constructor(root: string, apps: readonly string[]) {
    this.#root = root;
    this.#apps = apps;
    this.#seen = this.#look();
  }

  /** The apps to restart for what was written since the last call: all of them when it was a library or the contracts. */
  changedApps(): ReadonlySet<string> {
    const before = this.#seen;
    this.#seen = this.#look();
    const changed = [...this.#seen]
      .filter(([folder, written]) => before.get(folder) !== written)
      .map(([folder]) => folder);
    const own = new Map(this.#apps.map((app) => [join('apps', app), app]));
    if (changed.some((folder) => !own.has(folder))) return new Set(this.#apps);
    return new Set(changed.flatMap((folder) => own.get(folder) ?? []));
  }

  /** When each package's output was last written. */
  #look(): ReadonlyMap<string, number> {
    const libraries = readdirSync(join(this.#root, 'libs')).map((name) => join('libs', name));
    const packages = [...this.#apps.map((app) => join('apps', app)), ...libraries, 'proto'];
    return new Map(packages.map((folder) => [folder, lastWritten(join(this.#root, folder, 'dist'))]));
  }
}

/** 0 for a folder that is not there yet: a package that has never been built. */
function lastWritten(folder: string): number {
  if (!existsSync(folder)) return 0;
  const scripts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((entry) => entry.endsWith('.js'));
  const times = scripts.map((entry) => statSync(join(folder, entry), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.max(0, ...times);
}
