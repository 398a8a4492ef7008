import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What any app may import. Never another app: apps call each other. */
const ofApps = ['config', 'core', 'database', 'edge', 'proto', 'resilience', 'rpc', 'service', 'telemetry'];

/** Who may import whom. Third-party packages are the package.json's business; these are the walls of the house. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  'libs/core': [],
  'libs/config': ['core'],
  'libs/database': ['core'],
  'libs/discovery': ['core'],
  'libs/rpc': ['core', 'discovery', 'proto'],
  'libs/resilience': ['core'],
  'libs/edge': ['config', 'core', 'resilience'],
  'libs/telemetry': ['config', 'core', 'discovery', 'resilience', 'rpc'],
  'libs/console': ['config', 'core', 'discovery', 'resilience', 'rpc'],
  'libs/service': ['config', 'console', 'core', 'discovery', 'edge', 'proto', 'resilience', 'rpc', 'telemetry'],
  'libs/testing': ['config', 'core', 'discovery', 'proto', 'resilience', 'rpc', 'service', 'telemetry'],
  ...Object.fromEntries(readdirSync(join(root, 'apps')).map((app) => [`apps/${app}`, ofApps])),
  tools: ['config', 'core', 'rpc', 'service', 'telemetry'],
};

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function sourcesOf(folder: string): readonly SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/(^|\/)(node_modules|dist)\//.test(name))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(root, path), 'utf8');
      const imports = [...text.matchAll(/(?<!')(?:\bfrom|import\()\s*'([^'$]+)'|^import '([^']+)'/gm)].map(
        (match) => match[1] ?? match[2]!,
      );
      return { path, text, imports };
    });
}

const isTest = ({ path }: SourceFile) => path.endsWith('.spec.ts') || path.includes('/testing/');
const scoped = (name: string) =>
  name.startsWith('@holdfast/') ? name.slice('@holdfast/'.length).split('/')[0]! : undefined;
const everything = Object.keys(arrows).flatMap((folder) => sourcesOf(join(folder, 'src')));

describe('the architecture', () => {
  it('covers every library and app', () => {
    const packages = ['libs', 'apps'].flatMap((parent) =>
      readdirSync(join(root, parent)).map((name) => `${parent}/${name}`),
    );
    expect(Object.keys(arrows)).toEqual(expect.arrayContaining(packages));
    expect(everything.length).toBeGreaterThan(50);
  });

  it.each(Object.entries(arrows))('%s imports only what it may', (folder, allowed) => {
    const own = folder.split('/').at(-1)!;
    const strays = sourcesOf(join(folder, 'src'))
      .filter((file) => !isTest(file))
      .flatMap(({ path, imports }) =>
        imports
          .map(scoped)
          .filter((name) => name !== undefined && name !== own && !allowed.includes(name))
          .map((name) => `${path} imports @holdfast/${name}`),
      );
    expect(strays).toEqual([]);
  });

  it('no package reaches into another’s files', () => {
    const strays = everything.flatMap(({ path, imports }) => {
      const home = path.startsWith('tools/') ? 'tools' : path.split('/').slice(0, 2).join('/');
      return imports
        .filter((name) => name.startsWith('.') && !relative('.', join(dirname(path), name)).startsWith(`${home}/`))
        .map((name) => `${path} imports ${name}`);
    });
    expect(strays).toEqual([]);
  });

  it('every package that is imported is declared by the importing package', () => {
    const developed = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: object };
    const strays = Object.keys(arrows).flatMap((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
        dependencies?: object;
      };
      // The tools run where the repository is developed. Were compiler and formatter declared there, npm would put them into images.
      const ofDevelopment = folder === 'tools' ? developed.devDependencies : {};
      const declared = new Set(Object.keys({ ...manifest.dependencies, ...ofDevelopment }));
      return sourcesOf(join(folder, 'src'))
        .filter((file) => !isTest(file))
        .flatMap(({ path, imports }) =>
          imports
            .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
            .map((name) =>
              name
                .split('/')
                .slice(0, name.startsWith('@') ? 2 : 1)
                .join('/'),
            )
            .filter((name) => !declared.has(name))
            .map((name) => `${path} imports ${name}`),
        );
    });
    expect(strays).toEqual([]);
  });

  it('a driver knows its port and core, nothing else of its library', () => {
    const folders = ['libs/config/src/drivers', 'libs/discovery/src/drivers'];
    const outside = folders
      .flatMap(sourcesOf)
      .filter((file) => !isTest(file))
      .flatMap(({ path, imports }) =>
        imports
          .filter((name) => name.startsWith('../') && name !== '../driver.js')
          .map((name) => `${path} imports ${name}`),
      );
    expect(folders.every((folder) => existsSync(join(root, folder)))).toBe(true);
    expect(outside).toEqual([]);
  });

  it('the words of the house: no folder for what has no name, no I-prefix, no file too long to read at once', () => {
    const vague = everything.filter(({ path }) =>
      /\/(utils?|common|helpers?|interfaces|shared|misc)(\/|\.ts$)/.test(path),
    );
    const prefixed = everything.filter(({ text }) => /\binterface I[A-Z][a-z]/.test(text));
    const long = everything.filter((file) => !isTest(file) && file.text.split('\n').length > 251);
    expect([...vague, ...prefixed, ...long].map(({ path }) => path)).toEqual([]);
  });

  it('specs ask a clock, or wait for what they expect, but never sleep', () => {
    const sleepers = everything
      .filter(({ path }) => path.endsWith('.spec.ts'))
      .filter(({ text }) => /\bsetTimeout\(|timers\/promises/.test(text));
    expect(sleepers.map(({ path }) => path)).toEqual([]);
  });

  it('tsconfig.json, which is what `npm run build` builds, knows every app and library', () => {
    const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      references: { path: string }[];
    };
    const paths = references.map(({ path }) => path);
    expect(paths.toSorted()).toEqual([...Object.keys(arrows), 'proto'].toSorted());
  });

  it('nest-cli.json knows every app and library', () => {
    const { projects } = JSON.parse(readFileSync(join(root, 'nest-cli.json'), 'utf8')) as {
      projects: Record<string, { root: string }>;
    };
    const roots = Object.values(projects).map((project) => project.root);
    const packages = Object.keys(arrows).filter(
      (folder) => statSync(join(root, folder)).isDirectory() && folder.includes('/'),
    );
    expect(roots.toSorted()).toEqual(packages.toSorted());
  });
});
