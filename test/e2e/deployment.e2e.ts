import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, backendAvailable, eventually, freePort, withConsul } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { read } from '../deployment/manifests.js';
import { main } from '../promises/fleet.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'holdfast-deployment-'))));
afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

describe('a process that is told to stop while it starts', () => {
  it('ends in order, and leaves nothing behind in the registry', async () => {
    const port = await freePort();
    const registry = join(folder, 'registry');
    // It waits some seconds for a user-service, which is not there, before it registers.
    const child = spawn(process.execPath, [main('gateway')], {
      cwd: folder,
      env: { ...process.env, PORT: '0', ADMIN_PORT: String(port), REGISTRY_URL: `file:${registry}`, DRAIN_MS: '2000' },
      stdio: 'ignore',
    });
    const exited = once(child, 'exit');
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/livez`)).ok, { withinMs: 20_000 });
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(503);
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    const left = await readdir(registry, { recursive: true }).catch(() => []);
    expect(left.filter((name) => name.includes('gateway-'))).toEqual([]);
  });
});

describe.skipIf(!backendAvailable('consul'))('the gateway of deploy/compose.yaml', () => {
  it('tells Consul what Traefik reads there', async () => {
    await using consul = await withConsul();
    const file = parse(read('deploy/compose.yaml'), { merge: true }) as {
      services: { gateway: { environment: { REGISTRY_TAGS: string } } };
    };
    const { REGISTRY_TAGS } = file.services.gateway.environment;
    await using gateway = await AppProcess.start(main('gateway'), {
      cwd: folder,
      env: { REGISTRY_URL: consul.url, REGISTRY_TAGS },
    });
    const entries = await eventually(async () => {
      const response = await fetch(`http://${consul.address}/v1/health/service/gateway?passing`);
      const found = (await response.json()) as { Service: { ID: string; Tags: string[] } }[];
      return found.length > 0 && found;
    });
    expect(entries).toHaveLength(1);
    expect(entries && entries[0]!.Service).toMatchObject({
      ID: gateway.ready.id,
      Tags: REGISTRY_TAGS.trim().split('\n'),
    });
  });
});
