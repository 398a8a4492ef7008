import type { NewOptions } from './options.js';
import type { Plan, Wish } from './plan.js';
import { serviceOf } from './source.js';
import type { Noun } from './words.js';

type How = Pick<NewOptions, 'dryRun' | 'build'>;

/** What was made, in as many lines as one reads, and what to do next. */
export function report(wish: Wish, { noun, changes, kept }: Plan, { dryRun, build }: How): readonly string[] {
  const made = changes.filter(({ before }) => before === undefined).map(({ path }) => path);
  const changed = changes.filter(({ before }) => before !== undefined).map(({ path }) => path);
  const lines = [
    ...section(dryRun ? 'Would make' : 'Made', folded(made)),
    ...section(dryRun ? 'Would change' : 'Changed', changed),
    ...section('Left as you have them', kept),
  ];
  if (changes.length === 0) return [...lines, 'Everything is there already; nothing was changed.'];
  return dryRun
    ? [...lines, 'Nothing was written.']
    : [...lines, 'Next:', ...[...(build ? [] : ['npm run docs']), ...next(wish, noun)].map((line) => `  ${line}`)];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`), ''];
}

/** A line for each folder, with how many files are in it; a single one by its name. */
function folded(paths: readonly string[]): readonly string[] {
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    folders.set(folder, [...(folders.get(folder) ?? []), path]);
  }
  return [...folders].map(([folder, files]) => (files.length === 1 ? files[0]! : `${folder}  (${files.length} files)`));
}

function next(wish: Wish, noun: Noun): readonly string[] {
  const { one, many } = noun;
  const app = serviceOf(noun);
  switch (wish.what) {
    case 'service':
      return [
        `proto/${one.snake}/v1/${one.snake}.proto has its calls; npm run proto after a change`,
        `apps/${app}/src/${many.kebab}/${many.kebab}.controller.ts serves them`,
        `npm run new -- gateway-route ${many.kebab}`,
        'npm start',
      ];
    case 'client':
      return [
        `inject ${many.pascal}Client where apps/${wish.in}/src needs it`,
        `npx vitest run --project specs apps/${wish.in}`,
      ];
    case 'gateway-route':
      return ['npm start', `curl -d '{"name":"first"}' -H 'content-type: application/json' localhost:3000/${many.kebab}`, `curl localhost:3000/${many.kebab}/first`]; // prettier-ignore
  }
}
