import type { Options } from 'prettier';
import { addClient, addRoute } from './client.js';
import { addService } from './service.js';
import { Draft, type Change, type Tree } from './tree.js';
import { nounIn } from './source.js';
import { nounOf, type Noun } from './words.js';

/** What somebody wants to have. */
export type Wish =
  | { readonly what: 'service' | 'gateway-route'; readonly name: string; readonly plural?: string | undefined }
  | { readonly what: 'client'; readonly name: string; readonly plural?: string | undefined; readonly in: string };

export interface Plan {
  /** What it is about. */
  readonly noun: Noun;
  /** None where everything is as it would be made. */
  readonly changes: readonly Change[];
  /** Files that are there with other words than they would be made with, and stay so. */
  readonly kept: readonly string[];
}

/**
 * All that must change in `tree` for the wish to be true. Nothing is written.
 * @throws StartupError with one sentence where it cannot be done
 */
export async function planOf(wish: Wish, tree: Tree): Promise<Plan> {
  const noun = (wish.plural === undefined && nounIn(tree, wish.name)) || nounOf(wish.name, wish.plural);
  const draft = new Draft(tree);
  if (wish.what === 'service') addService(draft, noun);
  else if (wish.what === 'client') addClient(draft, noun, wish.in);
  else addRoute(draft, noun);
  const [changes, kept] = await Promise.all(
    [draft.changes, draft.kept].map(async (list) => {
      const all = await Promise.all(list.map((change) => formatted(change, tree)));
      return all.filter(({ before, after }) => before !== after);
    }),
  );
  return { noun, changes: changes!, kept: kept!.map(({ path }) => path) };
}

/** As `npm run fix` would leave it. */
async function formatted(change: Change, tree: Tree): Promise<Change> {
  if (!/\.(?:ts|json|yaml)$/.test(change.path) || change.path === 'package-lock.json') return change;
  const prettier = await import('prettier');
  const options = JSON.parse(tree.read('.prettierrc.json') ?? '{}') as Options;
  return { ...change, after: await prettier.format(change.after, { ...options, filepath: change.path }) };
}
