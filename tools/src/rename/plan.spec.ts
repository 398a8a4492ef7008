import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { namesOf } from './names.js';
import { parseOptions } from './options.js';
import { currentNames, planOf } from './plan.js';
import { readTree, writeTree } from './tree.js';

describe('planOf', () => {
  let root: string;
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const write = (path: string, content: string | Buffer, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode });
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'rename-plan-'));
    write('package.json', '{ "name": "oakum", "displayName": "Oakum", "version": "1.2.0" }');
    write('README.md', '# Oakum\n');
    write('config/oakum.yaml', 'oakum: true\n');
    write('run/oakum.sh', '#!/bin/sh\n', 0o755);
    write('oakum/deep/seal.bin', Buffer.from([0, 1, 2]));
    write('node_modules/other/index.js', 'oakum');
    write('libs/core/dist/index.js', 'oakum');
    write('.oakum/users.db', 'oakum');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('says what becomes of every file, and writes nothing by itself', () => {
    const before = readTree(root, '.oakum');
    const { changes } = planOf(root, namesOf('sorrel-larch'));
    expect(changes.map(({ from, to }) => [from, to]).toSorted()).toEqual([
      ['README.md', 'README.md'],
      ['config/oakum.yaml', 'config/sorrel-larch.yaml'],
      ['oakum/deep/seal.bin', 'sorrel-larch/deep/seal.bin'],
      ['package.json', 'package.json'],
      ['run/oakum.sh', 'run/sorrel-larch.sh'],
    ]);
    expect(readTree(root, '.oakum')).toEqual(before);
  });

  it('moves what has moved, with its rights, and leaves no empty folder', () => {
    writeTree(root, planOf(root, namesOf('sorrel-larch')).changes);
    expect(read('config/sorrel-larch.yaml')).toBe('sorrel-larch: true\n');
    expect(statSync(join(root, 'run/sorrel-larch.sh')).mode & 0o777).toBe(0o755);
    expect([...readFileSync(join(root, 'sorrel-larch/deep/seal.bin'))]).toEqual([0, 1, 2]);
    expect(['oakum', 'config/oakum.yaml', 'run/oakum.sh'].filter((path) => existsSync(join(root, path)))).toEqual([]);
    expect(read('node_modules/other/index.js')).toBe('oakum');
  });

  it('reads the present name from package.json, so that it can be done again, and says the origin once', () => {
    writeTree(root, planOf(root, namesOf('sorrel-larch', 'Great Larch')).changes);
    expect(currentNames(root)).toMatchObject({ kebab: 'sorrel-larch', title: 'Great Larch' });
    expect(read('README.md')).toBe('# Great Larch\n\nMade from Oakum 1.2.0.\n');
    writeTree(root, planOf(root, namesOf('medlar')).changes);
    expect(read('README.md')).toBe('# Medlar\n\nMade from Oakum 1.2.0.\n');
    expect(read('config/medlar.yaml')).toBe('medlar: true\n');
  });

  it('refuses its own name, and one that is a word already, wherever it stands', () => {
    write('src/a.ts', "import '@tansy/thing'; const yarrow_total = 1;\n");
    write('src/sedge/b.ts', '');
    expect(() => planOf(root, namesOf('oakum'))).toThrow('It is called oakum already; choose another name.');
    for (const [name, path] of [
      ['tansy', 'src/a.ts'],
      ['yarrow', 'src/a.ts'],
      ['sedge', 'src/sedge/b.ts'],
    ] as const) {
      expect(() => planOf(root, namesOf(name))).toThrow(`"${name}" is a word in ${path} already`);
    }
  });
});

describe('parseOptions', () => {
  it('takes a name, what is shown for it, and --force', () => {
    expect(parseOptions(['sorrel-larch', '--name', 'The Larch', '--force'])).toMatchObject({
      names: { kebab: 'sorrel-larch', title: 'The Larch' },
      force: true,
    });
    expect(parseOptions(['--help']).names).toBeUndefined();
  });

  it.each([
    [[], 'rename needs a name'],
    [['sorrel', 'larch'], 'rename takes one name; write its words with dashes, not "larch".'],
    [['sorrel', '--name'], '--name needs a value'],
    [['sorrel', '--forced'], 'There is no option "--forced"'],
    [['sorrel', '--force=yes'], '--force takes no value.'],
  ])('refuses %j with a sentence', (args, sentence) => {
    expect(() => parseOptions(args)).toThrow(sentence);
  });
});
