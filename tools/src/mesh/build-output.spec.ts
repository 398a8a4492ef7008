import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BuildOutput } from './build-output.js';

let root: string;
let written = 1_700_000_000;

/** Writes the file with a time of its own: two writes within one tick of the file system's clock would look the same. */
function write(file: string): void {
  const path = join(root, file);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, '');
  utimesSync(path, ++written, written);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-output-'));
  for (const folder of ['apps/gateway', 'apps/user-service', 'libs/core', 'libs/rpc', 'proto']) {
    write(`${folder}/dist/index.js`);
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('BuildOutput', () => {
  const cases: [string, string[]][] = [
    ['apps/gateway/dist/users/users.controller.js', ['gateway']],
    ['apps/user-service/dist/index.js', ['user-service']],
    ['libs/rpc/dist/index.js', ['gateway', 'user-service']],
    ['proto/dist/user/v1/user.js', ['gateway', 'user-service']],
    ['libs/core/dist/index.d.ts', []],
  ];

  it.each(cases)('when %s is written, restarts %j', (file, apps) => {
    const output = new BuildOutput(root, ['gateway', 'user-service']);
    write(file);
    expect([...output.changedApps()].sort()).toEqual(apps);
    expect(output.changedApps().size).toBe(0);
  });

  it('sees an app built for the first time', () => {
    rmSync(join(root, 'apps/gateway/dist'), { recursive: true });
    const output = new BuildOutput(root, ['gateway', 'user-service']);
    expect(output.changedApps().size).toBe(0);
    write('apps/gateway/dist/main.js');
    expect([...output.changedApps()]).toEqual(['gateway']);
  });
});
