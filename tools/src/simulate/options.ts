import { StartupError } from '@holdfast/core';
import { noSuchOption, readCommandLine } from '../command-line.js';
import { scenarios } from './scenario.js';

export interface SimulateOptions {
  readonly seed: number;
  /** Names of the scenarios to run. */
  readonly scenarios: readonly string[];
  /** How many servers there are in each; undefined for the scenario's own number. */
  readonly instances: number | undefined;
  readonly json: boolean;
  /** Writes the table and the plots into docs/balancing. */
  readonly write: boolean;
  readonly help: boolean;
}

const names = scenarios.map(({ name }) => name);

export const help = `Balances simulated traffic on simulated servers, by our balancer and by models of others, and compares.

Usage: npm run simulate -- [options]

  --seed <n>        same seed, same result (default: 1)
  --scenario <s>    only this one of: ${names.join(', ')}
  --instances <n>   how many servers, 2 to 10000 (default: the scenario's own number)
  --json            print all numbers, second by second
  --write           write the table and the plots of docs/balancing.md
  --help            show this`;

/**
 * What the operator asked for.
 * @throws {StartupError} for anything that is not an option, or not a value of it
 */
export function parseOptions(args: readonly string[]): SimulateOptions {
  const { values, words } = readCommandLine(args, {
    seed: 'text',
    scenario: 'text',
    instances: 'text',
    json: 'flag',
    write: 'flag',
    help: 'flag',
  });
  if (words[0] !== undefined) throw noSuchOption(words[0]);
  const { scenario, instances } = values;
  if (scenario !== undefined && !names.includes(scenario)) {
    throw new StartupError(`--scenario must be one of ${names.join(', ')}, not "${scenario}".`);
  }
  return {
    seed: whole('--seed', values.seed ?? '1', 0, 2 ** 31 - 1),
    scenarios: scenario !== undefined ? [scenario] : names,
    instances: instances === undefined ? undefined : whole('--instances', instances, 2, 10_000),
    json: values.json,
    write: values.write,
    help: values.help,
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : -1;
  if (number >= least && number <= most) return number;
  throw new StartupError(`${name} must be a whole number from ${least} to ${most}, not "${text}".`);
}
