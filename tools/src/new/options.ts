import { StartupError } from '@holdfast/core';
import { readCommandLine } from '../command-line.js';
import type { Wish } from './plan.js';

export interface NewOptions {
  /** Undefined where help is asked for. */
  readonly wish: Wish | undefined;
  /** Shows what would be made, and makes nothing. */
  readonly dryRun: boolean;
  /** Afterwards compiles what is new, and writes the pages that list settings. */
  readonly build: boolean;
}

export const help = `Makes a new part from the living ones about users. What is there already stays as it is.

Usage: npm run new -- <what> <name> [options]

  service <name>               a gRPC service with its contract, table and specs, in the build and every deployment
  client <name> --in <app>     a client of that service in another app, with policies, wired
  gateway-route <name>         the client in the gateway, and a controller with requests, answers and specs

  --plural <word>   the plural of the name, where it is not the usual one: service person --plural people
  --no-build        for several in a row: leave compiling, and the pages of settings, to npm run docs
  --dry-run         say what would be made, and make nothing
  --help            show this

A name is lower-case words with hyphens between, in the singular or the plural: orders, order, line-items.`;

const kinds = ['service', 'client', 'gateway-route'] as const;

/**
 * What somebody asked for.
 * @throws StartupError for anything that is no part or option, or not a value of it
 */
export function parseOptions(args: readonly string[]): NewOptions {
  const { values, words } = readCommandLine(args, {
    in: 'text',
    plural: 'text',
    'no-build': 'flag',
    'dry-run': 'flag',
    help: 'flag',
  });
  const how = { dryRun: values['dry-run'], build: !values['no-build'] };
  if (values.help || words.length === 0) return { wish: undefined, ...how };
  const [what, name, ...rest] = words;
  const kind = kinds.find((one) => one === what);
  if (!kind) throw new StartupError(`There is no "${what}" to make; there are ${kinds.join(', ')}.`);
  if (name === undefined) throw new StartupError(`Say what it is about: npm run new -- ${kind} orders.`);
  if (rest.length > 0)
    throw new StartupError(`One name is enough, and "${rest[0]}" is one more; write line-items for two words.`);
  const { plural, in: app } = values;
  if (kind !== 'client') {
    if (app !== undefined) throw new StartupError(`--in belongs to client; a ${kind} has its place.`);
    return { wish: { what: kind, name, plural }, ...how };
  }
  if (app === undefined)
    throw new StartupError(`Say which app shall have it: npm run new -- client ${name} --in gateway.`);
  return { wish: { what: kind, name, plural, in: app }, ...how };
}
