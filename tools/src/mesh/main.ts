import { systemClock, StartupError } from '@holdfast/core';
import { appsOf, root } from '../apps.js';
import { Development } from './development.js';
import { planMesh } from './mesh-plan.js';
import { help, parseOptions } from './options.js';
import { Screen } from './screen.js';
import { Supervisor } from './supervisor.js';

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const screen = new Screen(process.stdout, process.env);
  if (options.help) {
    screen.say(help);
    return 0;
  }
  process.chdir(root);
  const apps = appsOf();
  const supervisor = new Supervisor({
    ...planMesh(apps, options, process.env),
    screen,
    clock: systemClock,
    random: Math.random,
    patient: options.watch,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => supervisor.interrupt());
  // Nobody reads any more, as after `npm start | head`.
  process.stdout.on('error', () => supervisor.interrupt());

  if (!options.watch) return supervisor.run();
  const development = new Development({ root, apps, supervisor, screen, clock: systemClock });
  const exitCode = await supervisor.run(development.firstBuild);
  await development.stop();
  return exitCode;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
