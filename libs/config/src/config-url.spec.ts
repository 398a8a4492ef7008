import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { StartupError } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { openConfigDriver, openConfigDrivers } from './config-url.js';

describe('a CONFIG_URL', () => {
  const deps = { clock: new FakeClock(), random: Math.random };
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-url-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('names stores, the strongest last', async () => {
    const drivers = await openConfigDrivers(`  file:${folder}/a.yaml\n memory:one  file://${folder}/b.yaml `, deps);
    expect(drivers.map(({ name }) => name)).toEqual([
      `the file ${folder}/a.yaml`,
      'memory "one"',
      `the file ${folder}/b.yaml`,
    ]);
    expect(drivers.map(({ remote }) => remote)).toEqual([false, false, false]);
    await Promise.all(drivers.map((driver) => driver.close()));
    expect(await openConfigDrivers(' ', deps)).toEqual([]);
  });

  it.each([
    ['foo://x', 'has an unknown scheme; use file:, etcd://, etcds://, consul://, consul+tls:// or memory:.'],
    ['localhost', 'has no scheme; use file:, etcd://'],
    ['toString:', 'has an unknown scheme; use'],
    ['memory:a/b', 'has a name that is not of letters'],
    ['memory:a?b=1', 'has an unknown parameter "b"; it takes none.'],
    ['file:', 'names no file; write file:config/holdfast.yaml.'],
    ['file:a?b=1', 'has an unknown parameter "b"; it takes none.'],
    [`file:${folder}`, 'names a folder; name a file in it, such as file:config/holdfast.yaml.'],
    ['file:package.json/a', 'names a file that cannot be read (ENOTDIR); name one that can.'],
    ['file://a/b', 'has two slashes before a relative file; write file:folder/file.yaml or file:///folder/file.yaml.'],
  ])('%s is refused', async (url, problem) => {
    const refused = openConfigDrivers(`memory:ok ${url}`, deps);
    await expect(refused).rejects.toThrow(`CONFIG_URL "${url}" ${problem}`);
    await expect(refused).rejects.toBeInstanceOf(StartupError);
  });

  it('that names a store twice is refused', async () => {
    await expect(openConfigDrivers('memory:a memory:a', deps)).rejects.toThrow('CONFIG_URL names memory "a" twice');
  });

  it.each([
    'foo://s3cret@h',
    'memory:user:s3cret@h?x=1',
    'foo:?token=s3cret',
    'memory:?PASSWORD=s3cret&x=1',
    'foo:s3cret@@h',
  ])('%s is refused without its secret', async (url) => {
    const error: unknown = await openConfigDriver(url, deps).catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(StartupError);
    expect(inspect(error)).not.toContain('s3cret');
  });
});
