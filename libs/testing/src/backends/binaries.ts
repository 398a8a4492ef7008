import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program that the tests and benchmarks run as a real process. */
export type BackendName =
  'chromium' | 'consul' | 'etcd' | 'etcdctl' | 'kubectl' | 'prometheus' | 'promtool' | 'tini' | 'wrk';

const told = new Set<BackendName>();

/** The path of the program: from the repository's `.backends/bin`, else from the PATH; undefined when it is in neither. */
export function findBinary(name: BackendName): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return [repositoryBin(), ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * Whether tests that need the program can run: `describe.skipIf(!backendAvailable('consul'))('…', …)`. An absent one is
 * told on stderr in one line, once in each process, because a skipped test must not look like a passed one.
 * @throws Error when it is absent and the environment has `REQUIRE_BACKENDS=1`
 */
export function backendAvailable(name: BackendName): boolean {
  if (findBinary(name)) return true;
  if (process.env['REQUIRE_BACKENDS'] === '1') throw new Error(missing(name));
  if (!told.has(name)) process.stderr.write(`\n*** SKIPPED: ${missing(name)} ***\n\n`);
  told.add(name);
  return false;
}

/** The path of the program. @throws Error with a sentence that says how to get it, when it is absent */
export function requireBinary(name: BackendName): string {
  const path = findBinary(name);
  if (!path) throw new Error(missing(name));
  return path;
}

function missing(name: BackendName): string {
  if (name === 'kubectl')
    return 'kubectl is not on the PATH; install 1.29 or newer, which renders kustomizations by itself.';
  return `${name} is neither in .backends/bin nor on the PATH; run \`npm run backends${name === 'wrk' ? ' -- wrk' : ''}\` to get it.`;
}

/** The nearest folder upwards that has a lock file is the repository's root: packages of the workspace have none. */
function repositoryBin(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package-lock.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, '.backends', 'bin');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
