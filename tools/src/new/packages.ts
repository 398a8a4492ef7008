interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  dependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, object>;
}

/** The text of `package.json` with the packages among its dependencies, in the versions that `versionOf` says. */
export function withDependencies(text: string, names: readonly string[], versionOf: (name: string) => string): string {
  const manifest = JSON.parse(text) as Manifest;
  const known = manifest.dependencies ?? {};
  const missing = names.filter((name) => name !== manifest.name && !Object.hasOwn(known, name));
  if (missing.length === 0) return text;
  manifest.dependencies = sorted({ ...known, ...Object.fromEntries(missing.map((name) => [name, versionOf(name)])) });
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/**
 * The text of `package-lock.json` with the app as `npm install` would write it. No network is needed, since all that apps depend
 * on has its entries already.
 * @param manifest the text of the app's `package.json`
 */
export function withLockedApp(text: string, folder: string, manifest: string): string {
  const { name, version, license, dependencies } = JSON.parse(manifest) as Manifest;
  const lock = JSON.parse(text) as Lock;
  lock.packages = sorted({
    ...lock.packages,
    [folder]: { name, version, license, dependencies },
    [`node_modules/${name}`]: { resolved: folder, link: true },
  });
  const after = `${JSON.stringify(lock, undefined, 2)}\n`;
  return after === text ? text : after;
}

/** `tsconfig.json` of an app with references to the packages, by their folders as seen from it. */
export function withReferences(text: string, folders: readonly string[]): string {
  return text.replace(/"references":\s*\[([^\]]*)\]/, (all, inner: string) => {
    const known = [...inner.matchAll(/"path":\s*"([^"]+)"/g)].map(([, path]) => path!);
    if (folders.every((folder) => known.includes(folder))) return all;
    const paths = [...new Set([...known, ...folders])].toSorted();
    return `"references": [${paths.map((path) => `{ "path": "${path}" }`).join(', ')}]`;
  });
}

/** A JSON text with a copy of the lines from `first` to the end of that entry before them, changed by `change`. */
export function withCopiedLines(text: string, first: RegExp, change: (lines: string) => string): string {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => first.test(line));
  if (from < 0) return text;
  const indent = /^ */.exec(lines[from]!)![0];
  const closes = /[{[]$/.test(lines[from]!);
  const to = closes ? lines.findIndex((line, at) => at > from && line.startsWith(`${indent}}`)) : from;
  const entry = lines
    .slice(from, to + 1)
    .join('\n')
    .replace(/,$/, '');
  const copy = `${change(entry)},`;
  return text.includes(copy.replace(/,$/, ''))
    ? text
    : [...lines.slice(0, from), copy, ...lines.slice(from)].join('\n');
}

function sorted<T>(entries: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).toSorted(([a], [b]) => a.localeCompare(b, 'en')));
}
