import { describe, expect, it } from 'vitest';
import { readCommandLine } from './command-line.js';

const options = { name: 'text', force: 'flag', help: 'flag' } as const;
const read = (line: string) => readCommandLine(line === '' ? [] : line.split(' '), options);

describe('a command line', () => {
  it.each([
    ['', [], { name: undefined, force: false, help: false }],
    ['a --name b c --force', ['a', 'c'], { name: 'b', force: true, help: false }],
    ['--name=b -h', [], { name: 'b', force: false, help: true }],
    ['--name a --name b', [], { name: 'b', force: false, help: false }],
    ['-- --force -1', ['--force', '-1'], { name: undefined, force: false, help: false }],
  ])('%j is read as words and options', (line, words, values) => {
    expect(read(line)).toEqual({ words, values });
  });

  it.each([
    ['--forced', 'There is no option "--forced"; --help lists those there are.'],
    ['--no-force', 'There is no option "--no-force"; --help lists those there are.'],
    ['--toString', 'There is no option "--toString"; --help lists those there are.'],
    ['-n b', 'There is no option "-n"; --help lists those there are.'],
    ['--name', '--name needs a value.'],
    ['--name=', '--name needs a value.'],
    ['--force=yes', '--force takes no value.'],
  ])('%j is refused with a sentence', (line, sentence) => {
    expect(() => read(line)).toThrow(sentence);
  });
});
