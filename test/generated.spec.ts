import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingsPage } from '../tools/src/docs/settings-table.js';

const root = join(import.meta.dirname, '..');

function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((path) => [path.slice(folder.length), readFileSync(path).toString('base64')]));
}

describe('what is generated and committed', () => {
  it('proto/gen is what `npm run proto` writes', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-proto-'));
    try {
      for (const name of ['buf.yaml', 'buf.gen.yaml', 'package.json']) cpSync(join(root, name), join(folder, name));
      cpSync(join(root, 'proto'), join(folder, 'proto'), {
        recursive: true,
        filter: (path) => !/proto\/(gen|dist|node_modules)(\/|$)/.test(path),
      });
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      execFileSync('npm', ['run', '--silent', 'proto'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
      expect(filesOf(join(folder, 'proto/gen'))).toEqual(filesOf(join(root, 'proto/gen')));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('docs/settings.md is what `npm run docs` writes', async () => {
    expect(readFileSync(join(root, 'docs/settings.md'), 'utf8')).toBe(await settingsPage());
  });
});
