import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartupError } from '@holdfast/core';
import { help, parseOptions } from './options.js';
import { planOf, type Plan } from './plan.js';
import { writeTree } from './tree.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What has the name in it and is not written by hand, in the order in which one needs the other. */
const REMAKE = [
  { what: 'the code of the contracts', npm: ['run', '--silent', 'proto'] },
  { what: 'the contracts that later ones are compared with', npm: ['run', '--silent', 'proto:release'] },
  // Before the build, which would otherwise be out of date again.
  {
    what: 'the breaks of lines that are longer or shorter now',
    npm: ['exec', '--', 'prettier', '--log-level', 'warn', '--write', '.'],
  },
  { what: 'the build, and the pages that it writes', npm: ['run', '--silent', 'docs'] },
];

function main(): void {
  const { names, force } = parseOptions(process.argv.slice(2));
  if (!names) return console.log(help);
  const plan = planOf(root, names);
  if (!force) refuseUncommitted();
  writeTree(root, plan.changes);
  moveInstalled(plan);
  for (const step of REMAKE) {
    console.log(`Making ${step.what} …`);
    try {
      execFileSync('npm', step.npm, { cwd: root, stdio: 'inherit' });
    } catch {
      const command = `npm ${step.npm.join(' ')}`;
      throw new StartupError(
        `All names are written, but "${command}" failed as it says above; mend that, and run it and npm run docs.`,
      );
    }
  }
  const moved = plan.changes.filter(({ from, to }) => from !== to).length;
  console.log(
    `${plan.from.title} is ${plan.to.title} now: ${plan.changes.length} files, ${moved} of them with another path. ` +
      'npm run check says whether all is well; npm run docs:images makes the pictures of the live page anew.',
  );
}

/** Whoever does not like the result wants to go back to where he was. */
function refuseUncommitted(): void {
  let status: string;
  try {
    status = execFileSync('git', ['status', '--porcelain', '.'], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return; // No git, or no work tree: nothing to go back to anyway.
  }
  if (status === '') return;
  throw new StartupError(
    `There are changes that are not committed (${status.split('\n')[0]!.trim()}); commit or stash them first, or add --force.`,
  );
}

/**
 * Moves what git does not know: npm's links to the workspaces, which are relative and stay right, and the apps' own data.
 * npm reads its folder anew, since its note of what is in there is gone. What was built has the old name in it.
 */
function moveInstalled({ from, to }: Plan): void {
  const moves = [
    [`node_modules/@${from.kebab}`, `node_modules/@${to.kebab}`],
    [`.${from.kebab}`, `.${to.kebab}`],
  ] as const;
  for (const [source, target] of moves) {
    if (existsSync(join(root, source)) && !existsSync(join(root, target))) {
      renameSync(join(root, source), join(root, target));
    }
  }
  rmSync(join(root, 'node_modules/.package-lock.json'), { force: true });
  const parents = ['libs', 'apps'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name)),
  );
  for (const folder of [...parents, 'proto', 'tools'])
    rmSync(join(root, folder, 'dist'), { recursive: true, force: true });
}

try {
  main();
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
