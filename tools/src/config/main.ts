import { hostname, userInfo } from 'node:os';
import { EditError, openConfigDrivers } from '@holdfast/config';
import { StartupError, systemClock } from '@holdfast/core';
import { help, parseOptions } from './options.js';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), process.env);
  if (options.command.verb === 'help') return console.log(help);
  // An app brings all it needs; to be told of a slip, nobody shall wait for that.
  const { run } = await import('./commands.js');
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
  // Nobody reads any more, as after `npm run config -- watch | head`.
  process.stdout.on('error', () => interrupted.abort());
  const drivers = await openConfigDrivers(options.url, {
    clock: systemClock,
    random: Math.random,
    consulToken: process.env['CONSUL_HTTP_TOKEN'],
    etcdPassword: process.env['ETCD_PASSWORD'],
  });
  try {
    if (drivers.length === 0) throw new StartupError('CONFIG_URL names no store; write file:config/holdfast.yaml.');
    await run(options, {
      drivers,
      clock: systemClock,
      by: `${userName()}@${hostname()}`,
      say: (line) => console.log(line),
      warn: (line) => console.error(line),
      interrupted: interrupted.signal,
    });
  } finally {
    await Promise.all(drivers.map((driver) => driver.close()));
  }
}

/** Containers may run under an id that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] || 'unknown';
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof StartupError || error instanceof EditError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
