import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

describe("Nest's generators", () => {
  it(
    'put a service into the app that is named, and wire it, with imports that Node resolves',
    { timeout: 60_000 },
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-generate-'));
      try {
        for (const name of ['nest-cli.json', 'package.json', 'apps']) {
          cpSync(join(root, name), join(folder, name), {
            recursive: true,
            filter: (path) => !/\/(dist|node_modules)$/.test(path),
          });
        }
        symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
        execFileSync('npx', ['nest', 'generate', 'service', 'orders', '--project', 'user-service'], {
          cwd: folder,
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        const app = join(folder, 'apps/user-service/src');
        expect(existsSync(join(app, 'orders/orders.service.ts'))).toBe(true);
        expect(readFileSync(join(app, 'app.module.ts'), 'utf8')).toContain("from './orders/orders.service.js';");
        expect(readFileSync(join(app, 'orders/orders.service.spec.ts'), 'utf8')).toContain(
          "from './orders.service.js';",
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
