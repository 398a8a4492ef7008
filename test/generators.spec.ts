import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskTree } from '../tools/src/new/disk.js';
import { planOf } from '../tools/src/new/plan.js';

const root = join(import.meta.dirname, '..');

/** Runs `nest generate` in a copy of the folders and files that are named, and hands its folder to `look`. */
function generated(
  names: readonly string[],
  args: readonly (readonly string[])[],
  look: (folder: string) => void,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-generate-'));
  try {
    for (const name of ['nest-cli.json', 'package.json', 'apps', ...names]) {
      cpSync(join(root, name), join(folder, name), {
        recursive: true,
        filter: (path) => !/\/(dist|node_modules)$/.test(path),
      });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const words of args) {
      execFileSync('npx', ['nest', 'generate', ...words], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    }
    look(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("Nest's generators", () => {
  it(
    'put a service into the app that is named, and wire it, with imports that Node resolves',
    { timeout: 60_000 },
    () => {
      generated([], [['service', 'orders', '--project', 'user-service']], (folder) => {
        const app = join(folder, 'apps/user-service/src');
        expect(existsSync(join(app, 'orders/orders.service.ts'))).toBe(true);
        expect(readFileSync(join(app, 'app.module.ts'), 'utf8')).toContain("from './orders/orders.service.js';");
        expect(readFileSync(join(app, 'orders/orders.service.spec.ts'), 'utf8')).toContain(
          "from './orders.service.js';",
        );
      });
    },
  );

  it('make what `npm run new` makes', { timeout: 120_000 }, async () => {
    const names = ['proto', 'k8s', 'deploy', 'tsconfig.json', 'package-lock.json', '.prettierrc.json'];
    const { changes } = await planOf({ what: 'service', name: 'orders' }, new DiskTree(root));
    expect(changes.length).toBeGreaterThan(20);
    const commands = [
      // Which project is asked of everything, and matters here for clients alone.
      ['service-app', 'orders', '--project', 'user-service'],
      ['client', 'orders', '--project', 'user-service'],
    ];
    generated(names, commands, (folder) => {
      const admitted = /^k8s\/base\/order-service\/network.yaml$|^package-lock.json$/;
      for (const { path, after } of changes.filter((change) => !admitted.test(change.path))) {
        expect([path, readFileSync(join(folder, path), 'utf8')]).toEqual([path, after]);
      }
      const policy = readFileSync(join(folder, 'k8s/base/order-service/network.yaml'), 'utf8');
      expect(policy).toContain('app.kubernetes.io/name: user-service');
      const module = readFileSync(join(folder, 'apps/user-service/src/app.module.ts'), 'utf8');
      expect(module).toContain("from './orders/orders.client.js';");
    });
  });
});
