import { StartupError } from '@holdfast/core';
import { noSuchOption, readCommandLine } from '../command-line.js';

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

/**
 * What the operator asked for.
 * @throws {StartupError} for anything that is not an option, or not a value of it
 */
export function parseOptions(args: readonly string[]): MeshOptions {
  const { values, words } = readCommandLine(args, { replicas: 'text', verbose: 'flag', watch: 'flag', help: 'flag' });
  if (words[0] !== undefined) throw noSuchOption(words[0]);
  return { ...values, replicas: replicaCount(values.replicas ?? '3') };
}

function replicaCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= 50) return count;
  throw new StartupError(`--replicas must be a whole number from 1 to 50, not "${text}".`);
}
