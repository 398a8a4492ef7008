import { StartupError } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.js';

const parse = (line: string) => parseOptions(line.split(' ').filter(Boolean));

describe('npm run new', () => {
  it.each([
    ['service orders', { what: 'service', name: 'orders', plural: undefined }],
    ['service person --plural people', { what: 'service', name: 'person', plural: 'people' }],
    ['gateway-route orders', { what: 'gateway-route', name: 'orders', plural: undefined }],
    ['client orders --in gateway', { what: 'client', name: 'orders', plural: undefined, in: 'gateway' }],
  ])('understands %s', (line, wish) => expect(parse(line)).toEqual({ wish, dryRun: false, build: true }));

  it('only tells with --dry-run, and helps with --help or nothing', () => {
    expect(parse('service orders --dry-run').dryRun).toBe(true);
    expect(parse('service orders --no-build').build).toBe(false);
    expect(parse('').wish).toBeUndefined();
    expect(parse('service orders -h').wish).toBeUndefined();
  });

  it.each([
    ['app orders', 'There is no "app" to make; there are service, client, gateway-route.'],
    ['service', 'Say what it is about: npm run new -- service orders.'],
    ['service line items', 'One name is enough, and "items" is one more; write line-items for two words.'],
    ['client orders', 'Say which app shall have it: npm run new -- client orders --in gateway.'],
    ['service orders --in gateway', '--in belongs to client; a service has its place.'],
    ['service orders --plural', '--plural needs a value.'],
    ['service orders --force', 'There is no option "--force"; --help lists those there are.'],
    ['service orders --dry-run=yes', '--dry-run takes no value.'],
  ])('refuses %s', (line, sentence) => {
    expect(() => parse(line)).toThrow(StartupError);
    expect(() => parse(line)).toThrow(sentence);
  });
});
