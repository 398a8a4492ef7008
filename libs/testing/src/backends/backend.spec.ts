import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../eventually.js';
import { backendAvailable, findBinary, requireBinary } from './binaries.js';
import { startConsulCluster, withConsul } from './consul.js';
import { startEtcdCluster, withEtcd } from './etcd.js';
import { Daemon, freePort } from './backend.js';

const alive = (pid: number | undefined) => {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
};

/** A daemon that is a Node script. */
const daemon = async (script: string, ready: () => Promise<boolean>) => ({
  url: 'test:',
  address: `127.0.0.1:${await freePort()}`,
  binary: process.execPath,
  args: () => ['-e', script],
  ready,
});

describe('finding a backend', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('looks on the PATH when the repository has none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-path-'));
    writeFileSync(join(folder, 'wrk'), '');
    chmodSync(join(folder, 'wrk'), 0o755);
    vi.stubEnv('PATH', folder);
    expect(findBinary('wrk')).toMatch(/wrk$/);
    rmSync(folder, { recursive: true });
  });

  it('says how to get one that is missing', () => {
    vi.stubEnv('PATH', '');
    vi.stubEnv('REQUIRE_BACKENDS', undefined);
    const absent = 'no-such-program' as 'consul';
    expect(() => requireBinary(absent)).toThrow('run `npm run backends`');
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect([backendAvailable(absent), backendAvailable(absent)]).toEqual([false, false]);
    expect(stderr).toHaveBeenCalledTimes(1);
    stderr.mockRestore();
    vi.stubEnv('REQUIRE_BACKENDS', '1');
    expect(() => backendAvailable(absent)).toThrow('run `npm run backends`');
  });
});

describe('a daemon', () => {
  it('that ends by itself is reported with its output', async () => {
    const dies = await daemon('console.error("no such option"); process.exit(1)', () => Promise.resolve(false));
    await expect(Daemon.start(dies)).rejects.toThrow('no such option');
  });

  it('does not outlive a test process that is killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-orphans-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    mkdirSync(join(folder, 'backends'));
    for (const file of ['eventually', 'backends/backend']) {
      const source = readFileSync(new URL(`../${file}.ts`, import.meta.url), 'utf8');
      const compilerOptions = { target: ScriptTarget.ES2022, module: ModuleKind.ESNext };
      writeFileSync(join(folder, `${file}.js`), transpileModule(source, { compilerOptions }).outputText);
    }
    const script = `
      import { createServer } from 'node:http';
      const { Daemon } = await import(${JSON.stringify(join(folder, 'backends', 'backend.js'))});
      const daemon = await Daemon.start({
        url: '', address: '', binary: process.execPath, args: () => ['-e', 'setInterval(() => {}, 1000)'],
        ready: async () => true,
      });
      console.log(daemon.pid);
      createServer().listen(0, '127.0.0.1');
    `;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    expect(alive(Number(line))).toBe(true);
    parent.kill('SIGKILL');
    await eventually(() => !alive(Number(line)));
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(!backendAvailable('consul'))('consul', () => {
  it('can be killed, started again at the same address and stopped', { timeout: 30_000 }, async () => {
    const consul = await withConsul();
    const leader = () => fetch(`http://${consul.address}/v1/status/leader`);
    const first = consul.pid;
    expect((await leader()).ok).toBe(true);
    await consul.kill();
    expect(consul.pid).toBeUndefined();
    await expect(leader()).rejects.toThrow('fetch failed');
    await consul.restart();
    expect(consul.pid).not.toBe(first);
    expect((await leader()).ok).toBe(true);
    const last = consul.pid;
    await consul.stop();
    expect(alive(last)).toBe(false);
  });

  it('three servers elect another leader after a loss', { timeout: 60_000 }, async () => {
    await using cluster = await startConsulCluster();
    const leader = await cluster.leader();
    await leader.kill();
    expect((await cluster.leader()).address).not.toBe(leader.address);
  });
});

describe.skipIf(!backendAvailable('etcd'))('etcd', () => {
  it('keeps its data over a kill', { timeout: 30_000 }, async () => {
    await using etcd = await withEtcd();
    const ask = async (path: string, body: object) => {
      const response = await fetch(`http://${etcd.address}/v3/kv/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      return response.text();
    };
    await ask('put', { key: btoa('a'), value: btoa('1') });
    await etcd.restart();
    expect(await ask('range', { key: btoa('a') })).toContain(btoa('1'));
  });

  it('three servers elect another leader after a loss', { timeout: 60_000 }, async () => {
    await using cluster = await startEtcdCluster();
    const leader = await cluster.leader();
    await leader.kill();
    expect((await cluster.leader()).address).not.toBe(leader.address);
  });
});
