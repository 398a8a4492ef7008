import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { backendAvailable, eventually, freePort } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble, ContainerProcess, namespacesAvailable } from '../deployment/container.js';
import { imageFacts } from '../deployment/image-facts.js';

const run = promisify(execFile);
const apps = readdirSync(join(import.meta.dirname, '../../apps'));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

if (!namespacesAvailable)
  process.stderr.write('\n*** SKIPPED: namespaces need root on Linux; images are not tried. ***\n\n');

describe.skipIf(!namespacesAvailable || !backendAvailable('tini')).each(apps)('the image of %s', (app) => {
  const facts = imageFacts();
  let image: Awaited<ReturnType<typeof assemble>>;
  let settings: Record<string, string>;

  beforeAll(async () => {
    image = await assemble(app);
  });
  afterAll(() => image.dispose());

  const start = async () => {
    const [PORT, GRPC_PORT, ADMIN_PORT] = [await freePort(), await freePort(), await freePort()].map(String);
    settings = {
      PORT: PORT!,
      GRPC_PORT: GRPC_PORT!,
      ADMIN_PORT: ADMIN_PORT!,
      HOST: '127.0.0.1',
      REGISTRY_URL: 'memory:',
      DRAIN_MS: '2000',
    };
    return ContainerProcess.start(image.folder, facts, settings);
  };
  const healthy = async () => {
    const [program = '', ...args] = facts.health;
    await run(program, args, { cwd: image.folder, env: { ...process.env, ...settings } });
  };

  it('has production dependencies alone, and no source', async () => {
    const { stdout } = await run('find', [
      image.folder,
      '-name',
      '*.ts',
      '-o',
      '-name',
      'typescript',
      '-o',
      '-name',
      'vitest',
    ]);
    expect(stdout).toBe('');
    const others = apps.filter((name) => name !== app);
    const workspaces = readdirSync(join(image.folder, 'node_modules/@holdfast'));
    expect(workspaces).toContain(app);
    expect(workspaces.filter((name) => [...others, 'testing', 'tools'].includes(name))).toEqual([]);
    const { stdout: size } = await run('du', ['-sm', image.folder]);
    console.log(`image of ${app}: ${Number.parseInt(size, 10)} MB beside Node`);
    expect(Number.parseInt(size, 10)).toBeLessThan(100);
  });

  it('runs without rights in a folder that it cannot write to, is healthy, and ends with 0 when it is stopped', async () => {
    await using container = await start();
    await expect(healthy()).rejects.toThrow('Command failed');
    await eventually(healthy, { withinMs: 30_000, everyMs: 200 });
    expect(await container.stop()).toMatchObject({ code: 0 });
    expect(container.printed).not.toMatch(/EROFS|EACCES|EPERM/);
  });

  it('ends when it is stopped, at whatever time that is', async () => {
    const ends: string[] = [];
    for (const ms of [0, 30, 100, 300, 600, 900, 1_200, 2_000]) {
      await using container = await start();
      await pause(ms);
      const { code, ms: took } = await container.stop();
      ends.push(`${ms} ms: ${code}`);
      // 143 is the default of SIGTERM, from before the app has a handler.
      expect([0, 143], container.printed).toContain(code);
      expect(took).toBeLessThan(10_000);
    }
    console.log(`image of ${app}, stopped after ${ends.join(', ')}`);
  });
});
