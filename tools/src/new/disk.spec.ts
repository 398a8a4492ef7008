import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartupError } from '@holdfast/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskTree, write } from './disk.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-new-'));
  writeFileSync(join(folder, 'there'), 'as it was');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const made = (path: string) => ({ path, before: undefined, after: 'new' });
const changed = { path: 'there', before: 'as it was', after: 'changed' };

describe('the repository on the disk', () => {
  it('lists what is somebody’s work, at any depth, and knows what is not there', () => {
    for (const path of ['a/b', 'a/dist', 'a/node_modules/x']) mkdirSync(join(folder, path), { recursive: true });
    for (const path of ['a/z', 'a/b/c', 'a/dist/made', 'a/node_modules/x/made']) writeFileSync(join(folder, path), '');
    const tree = new DiskTree(folder);
    expect(tree.list('a')).toEqual(['a/b/c', 'a/z']);
    expect(tree.list('nowhere')).toEqual([]);
    expect(tree.read('nowhere')).toBeUndefined();
    expect(tree.read('there')).toBe('as it was');
  });

  it('is written to as a whole', () => {
    write(folder, [made('a/b/c'), changed]);
    expect(readFileSync(join(folder, 'a/b/c'), 'utf8')).toBe('new');
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('changed');
  });

  it('is as it was when one of the changes cannot be written', () => {
    const attempt = () => write(folder, [made('a/b/c'), changed, made('there/below')]);
    expect(attempt).toThrow(StartupError);
    expect(attempt).toThrow(/^there\/below cannot be written \(\w+\); all is as it was before\.$/);
    expect(existsSync(join(folder, 'a/b/c'))).toBe(false);
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('as it was');
  });

  it('keeps a file that came in between', () => {
    writeFileSync(join(folder, 'mine'), 'mine');
    expect(() => write(folder, [changed, made('mine')])).toThrow('mine cannot be written (EEXIST)');
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine');
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('as it was');
  });
});
