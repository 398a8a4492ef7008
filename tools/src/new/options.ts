import { parseArgs } from 'node:util';
import { StartupError } from '@holdfast/core';
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
const known = new Set(['in', 'plural', 'no-build', 'dry-run', 'help']);

/**
 * What somebody asked for.
 * @throws StartupError for anything that is no part or option, or not a value of it
 */
export function parseOptions(args: readonly string[]): NewOptions {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      in: { type: 'string' },
      plural: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (!known.has(token.name))
      throw new StartupError(`There is no option "${token.rawName}"; --help lists those there are.`);
    const wantsValue = token.name === 'in' || token.name === 'plural';
    if (wantsValue && !token.value) throw new StartupError(`${token.rawName} needs a word after it.`);
    if (!wantsValue && token.value !== undefined) throw new StartupError(`${token.rawName} takes no value.`);
  }
  const how = { dryRun: values['dry-run'] === true, build: values['no-build'] !== true };
  if (values.help === true || positionals.length === 0) return { wish: undefined, ...how };
  const [what, name, ...rest] = positionals;
  const kind = kinds.find((one) => one === what);
  if (!kind) throw new StartupError(`There is no "${what}" to make; there are ${kinds.join(', ')}.`);
  if (name === undefined) throw new StartupError(`Say what it is about: npm run new -- ${kind} orders.`);
  if (rest.length > 0)
    throw new StartupError(`One name is enough, and "${rest[0]}" is one more; write line-items for two words.`);
  const plural = values.plural as string | undefined;
  const app = values.in as string | undefined;
  if (kind !== 'client') {
    if (app !== undefined) throw new StartupError(`--in belongs to client; a ${kind} has its place.`);
    return { wish: { what: kind, name, plural }, ...how };
  }
  if (app === undefined)
    throw new StartupError(`Say which app shall have it: npm run new -- client ${name} --in gateway.`);
  return { wish: { what: kind, name, plural, in: app }, ...how };
}
