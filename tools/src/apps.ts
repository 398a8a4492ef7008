import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Whether the app is an edge by its name, `gateway` or `<something>-gateway`: who calls it is outside. All others are services. */
export function isEdge(app: string): boolean {
  return /^(?:.+-)?gateway$/.test(app);
}

/** The apps there are, which is the folders below `apps/` that have a program: the edges first, then the services, each by name. */
export function appsOf(folder: string = root): readonly string[] {
  const names = readdirSync(join(folder, 'apps')).filter((name) =>
    existsSync(join(folder, 'apps', name, 'src/main.ts')),
  );
  const sorted = names.toSorted();
  return [...sorted.filter(isEdge), ...sorted.filter((name) => !isEdge(name))];
}

/** Whether the app lets others import `@holdfast/<app>/<part>`. */
export function exportsPart(app: string, part: string): boolean {
  const { exports = {} } = JSON.parse(readFileSync(join(root, 'apps', app, 'package.json'), 'utf8')) as {
    readonly exports?: object;
  };
  return Object.hasOwn(exports, `./${part}`);
}
