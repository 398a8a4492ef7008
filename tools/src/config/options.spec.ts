import { StartupError } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { help, parseOptions } from './options.js';

const urlOf = (args: string[], env: NodeJS.ProcessEnv) => parseOptions(['watch', ...args], env).url;
const commandOf = (...args: string[]) => parseOptions(args, {}).command;

describe('the options of npm run config', () => {
  it.each([
    ['get users', { verb: 'get', service: 'users', key: undefined }],
    ['get users a.b', { verb: 'get', service: 'users', key: 'a.b' }],
    ['set users a 1 b {c:2}', { verb: 'set', service: 'users', edits: new Map([['a', '1'], ['b', '{c:2}']]) }], // prettier-ignore
    ['set users --dry-run -- a -1', { verb: 'set', service: 'users', edits: new Map([['a', '-1']]) }],
    ['set users --file a.yaml', { verb: 'set', service: 'users', file: 'a.yaml' }],
    ['unset users a b', { verb: 'unset', service: 'users', edits: new Map([['a', null], ['b', null]]) }], // prettier-ignore
    ['diff users', { verb: 'diff', service: 'users', revisions: [] }],
    ['diff users 3', { verb: 'diff', service: 'users', revisions: [3] }],
    ['diff users 3 12', { verb: 'diff', service: 'users', revisions: [3, 12] }],
    ['diff --file=a.yaml users', { verb: 'diff', service: 'users', file: 'a.yaml' }],
    ['watch', { verb: 'watch', service: undefined }],
    ['watch users', { verb: 'watch', service: 'users' }],
    ['history users', { verb: 'history', service: 'users' }],
    ['rollback users 0', { verb: 'rollback', service: 'users', revision: 0 }],
    ['', { verb: 'help' }],
    ['set --help', { verb: 'help' }],
  ])('%s', (line, command) => {
    expect(commandOf(...line.split(' ').filter(Boolean))).toEqual(command);
  });

  it.each([
    ['frobnicate users', 'There is no command "frobnicate"'],
    ['get', 'get needs a service'],
    ['get users a b', 'get does not take "b"'],
    ['set users', 'set needs a key and its value'],
    ['set users a', 'set needs a value for a'],
    ['set users a 1 a 2', 'set has a twice'],
    ['set users a 1 --file x', '--file is a whole document'],
    ['unset users', 'unset needs a key'],
    ['get users --file x', 'get takes no --file'],
    ['diff users one', '"one" is no revision'],
    ['rollback users', 'rollback needs a revision'],
    ['rollback users -1', 'There is no option "-1"'],
    ['get users --json=yes', '--json takes no value'],
    ['get users --url', '--url needs a value'],
    ['get users --verbose', 'There is no option "--verbose"'],
  ])('%s is one sentence', (line, reason) => {
    const parse = () => commandOf(...line.split(' '));
    expect(parse).toThrow(StartupError);
    expect(parse).toThrow(reason);
    expect(parse).toThrow(/^[^\n]+\.$/);
  });

  it('takes the stores from --url, else from the environment, else the file', () => {
    expect(urlOf([], {})).toBe('file:config/holdfast.yaml');
    expect(urlOf([], { CONFIG_URL: '' })).toBe('file:config/holdfast.yaml');
    expect(urlOf([], { CONFIG_URL: 'memory:' })).toBe('memory:');
    expect(urlOf(['--url', 'memory:a'], { CONFIG_URL: 'memory:' })).toBe('memory:a');
  });

  it('every command is in the help', () => {
    for (const verb of ['get', 'set', 'unset', 'diff', 'watch', 'history', 'rollback'])
      expect(help).toContain(`\n  ${verb} `);
  });
});
