import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.js';

describe('parseOptions', () => {
  it('gives three replicas, quiet, when nothing is asked for', () => {
    expect(parseOptions([])).toEqual({ replicas: 3, verbose: false, watch: false, help: false });
  });

  it.each([['1'], ['50']])('takes %s replicas', (count) => {
    expect(parseOptions(['--replicas', count]).replicas).toBe(Number(count));
    expect(parseOptions([`--replicas=${count}`]).replicas).toBe(Number(count));
  });

  it.each(['0', '51', '2.5', '-1', 'three', '1e1'])('refuses "%s" replicas in one sentence', (count) => {
    expect(() => parseOptions([`--replicas=${count}`])).toThrow(
      `--replicas must be a whole number from 1 to 50, not "${count}".`,
    );
  });

  it.each(['--replicas', '--replicas='])('refuses %s without a number', (option) => {
    expect(() => parseOptions([option])).toThrow('--replicas needs a value.');
  });

  it.each([
    [['--replica', '3'], '--replica'],
    [['-x'], '-x'],
    [['three'], 'three'],
    [['--no-verbose'], '--no-verbose'],
  ])('refuses %j, which it does not know', (args, word) => {
    expect(() => parseOptions(args)).toThrow(`There is no option "${word}"; --help lists those there are.`);
  });

  it('refuses a value for a switch', () => {
    expect(() => parseOptions(['--verbose=yes'])).toThrow('--verbose takes no value.');
  });

  it('knows --verbose, --watch, --help and -h', () => {
    expect(parseOptions(['--verbose', '--watch', '--help'])).toMatchObject({ verbose: true, watch: true, help: true });
    expect(parseOptions(['-h']).help).toBe(true);
  });
});
