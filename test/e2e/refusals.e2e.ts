import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Runs `script` until it ends by itself, as it must. */
function run(
  script: string,
  env: Record<string, string>,
  cwd: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, script)], {
      cwd,
      env: { ...process.env, PORT: '0', LOG_LEVEL: 'warn', ...env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

describe('what keeps an app from starting is one sentence and exit code 1', () => {
  const taken = createServer();
  let takenPort: string;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-refusals-'));
    writeFileSync(join(folder, 'text.db'), 'this is no database, and long enough to be sure of that');
    writeFileSync(join(folder, 'a-file'), '');
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    takenPort = String((taken.address() as AddressInfo).port);
  });
  afterAll(() => {
    taken.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const gateway = 'apps/gateway/dist/main.js';
  const userService = 'apps/user-service/dist/main.js';

  it.each([
    ['a port already taken', gateway, () => ({ PORT: takenPort }), 'PORT', 'already in use'],
    ['a gRPC port already taken', userService, () => ({ GRPC_PORT: takenPort }), 'GRPC_PORT', 'already in use'],
    ['an admin port already taken', gateway, () => ({ ADMIN_PORT: takenPort }), 'ADMIN_PORT', 'already in use'],
    ['a port that is none', gateway, () => ({ PORT: '70000' }), 'PORT', 'whole number from 0 to 65535'],
    ['a host that is not here', gateway, () => ({ HOST: '192.0.2.1' }), 'HOST', '127.0.0.1'],
    ['an unknown registry', gateway, () => ({ REGISTRY_URL: 'zookeeper://x' }), 'REGISTRY_URL', 'consul://'],
    ['a registry that cannot be read', gateway, () => ({ REGISTRY_URL: 'file:a-file' }), 'REGISTRY_URL', 'name one'],
    ['an unknown database', userService, () => ({ DATABASE_URL: 'mysql://root:secret@x' }), 'DATABASE_URL', 'file:'],
    ['a database that is none', userService, () => ({ DATABASE_URL: 'file:text.db' }), 'DATABASE_URL', ''],
    [
      'keys for everybody',
      gateway,
      () => ({ AUTH_JWKS_URL: 'https://id.test/keys' }),
      'AUTH_JWKS_URL',
      'AUTH_AUDIENCE',
    ],
    ['a proxy that is none', gateway, () => ({ TRUST_PROXY: 'everybody' }), 'TRUST_PROXY', '10.0.0.0/8'],
    ['a log level that is none', gateway, () => ({ LOG_LEVEL: 'loud' }), 'LOG_LEVEL', 'debug, log, warn or error'],
  ])('%s', async (_what, script, env, name, hint) => {
    const { code, stdout, stderr } = await run(script, env(), folder);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(name);
    expect(lines[0]).toContain(hint);
    expect(lines[0]).toMatch(/\.$/);
    expect(stderr).not.toMatch(/\n\s+at |secret/);
  });

  it('a mesh whose gateway cannot have its port leaves nothing running', async () => {
    const env = {
      PORT: takenPort,
      REGISTRY_URL: `file:${join(folder, 'registry')}`,
      DATABASE_URL: `file:${join(folder, 'users.db')}`,
    };
    const { code, stdout } = await run('tools/dist/mesh/main.js', env, root);
    expect(code).toBe(1);
    expect(stdout.match(/already in use/g)).toHaveLength(1);
    expect(stdout).toContain('The mesh does not start without it.');
    // Whoever is still registered still runs: a drained process has taken its entry out.
    expect(
      readdirSync(join(folder, 'registry'), { recursive: true }).filter((name) => String(name).endsWith('.json')),
    ).toEqual([]);
  });
});
