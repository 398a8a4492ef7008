import { parseArgs } from 'node:util';
import { StartupError } from '@holdfast/core';

export interface MeshOptions {
  /** How many processes of each service run. */
  readonly replicas: number;
  /** All log lines of the apps are shown, instead of warnings and errors only. */
  readonly verbose: boolean;
  /** Sources are watched; what changed is built and restarted. */
  readonly watch: boolean;
  readonly help: boolean;
}

export const help = `Runs the gateway and all services below apps/ on this machine, with the embedded registry.

Usage: npm start -- [options]     (npm run dev -- [options]: the same, built and restarted on every change)

  --replicas <n>   how many processes of each service, 1 to 50 (default: 3)
  --verbose        show all log lines, not only warnings and errors
  --help           show this

PORT is the gateway's (default: 3000). PORT, REGISTRY_URL, DATABASE_URL, DRAIN_MS, LOG_LEVEL and the rest of the
environment are handed on to the apps; {service} in DATABASE_URL stands for the name of each. Ctrl-C drains and stops; a
second Ctrl-C stops at once.`;

const names = new Set(['replicas', 'verbose', 'watch', 'help']);

/**
 * What the operator asked for.
 * @throws {StartupError} for anything that is not an option, or not a value of it
 */
export function parseOptions(args: readonly string[]): MeshOptions {
  const { values, tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      replicas: { type: 'string', default: '3' },
      verbose: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  for (const token of tokens) {
    if (token.kind === 'positional') throw unknown(token.value);
    if (token.kind !== 'option') continue;
    if (!names.has(token.name)) throw unknown(token.rawName);
    if (token.name !== 'replicas' && token.value !== undefined)
      throw new StartupError(`${token.rawName} takes no value.`);
  }
  return {
    replicas: replicaCount(values.replicas),
    verbose: values.verbose === true,
    watch: values.watch === true,
    help: values.help === true,
  };
}

function replicaCount(value: string | boolean | undefined): number {
  const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : 0;
  if (count >= 1 && count <= 50) return count;
  const given = typeof value === 'string' ? `, not "${value}"` : '';
  throw new StartupError(`--replicas must be a whole number from 1 to 50${given}.`);
}

function unknown(word: string): StartupError {
  return new StartupError(`There is no option "${word}"; --help lists those there are.`);
}
