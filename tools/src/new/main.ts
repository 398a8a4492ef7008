import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StartupError } from '@holdfast/core';
import { root } from '../apps.js';
import { DiskTree, write } from './disk.js';
import { help, parseOptions } from './options.js';
import { linkApp, runScript } from './workspace.js';

async function main(): Promise<void> {
  const { wish, dryRun, build } = parseOptions(process.argv.slice(2));
  if (!wish) return console.log(help);
  // The compiler and the formatter are large; to be told of a slip, nobody shall wait for them.
  const [{ planOf }, { contractOf, serviceOf }, { report }] = await Promise.all([
    import('./plan.js'),
    import('./source.js'),
    import('./report.js'),
  ]);
  const plan = await planOf(wish, new DiskTree(root));
  if (!dryRun) {
    write(root, plan.changes);
    // Also where somebody stopped before all of it was there.
    linkApp(root, serviceOf(plan.noun));
    const code = contractOf(plan.noun).replace(/^proto\/(.*)\.proto$/, 'proto/gen/$1.ts');
    const isNew = !existsSync(join(root, code));
    if (isNew) runScript(root, 'proto');
    // Compiles what is new, and has the pages that list settings list its own.
    if (build && (isNew || plan.changes.length > 0)) runScript(root, 'docs');
  }
  for (const line of report(wish, plan, { dryRun, build })) console.log(line);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
