import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ServiceError } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { AppProcess, eventually } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { report } from './fleet.js';

const REQUESTS = 3_000;
const options = { idempotent: true, timeout: '5s', retry: { attempts: 3, initialDelay: 5, maxDelay: 10 } } as const;
/** What the floor of the budget allows on top: 100 saved up, and 10 a second. */
const floor = (startedAt: number) => 100 + (10 * (performance.now() - startedAt)) / 1_000;

async function requests(send: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let sent = 0; sent < REQUESTS; sent += 100) {
    await Promise.all(Array.from({ length: 100 }, () => send().catch(() => undefined)));
  }
  return floor(startedAt);
}

describe('promise 15, no retry storm', () => {
  it('a backend that fails altogether gets at most 1.2 attempts per request, and the floor', async () => {
    const resilience = new Resilience();
    let attempts = 0;
    const backend = async () => {
      attempts++;
      throw new ServiceError(Code.UNAVAILABLE, 'down');
    };
    const allowance = await requests(() => resilience.run('backend', backend, options));
    report('15', 'one hop', { requests: REQUESTS, 'attempts per request': (attempts / REQUESTS).toFixed(3) });
    resilience.close();
    expect(attempts).toBeGreaterThan(REQUESTS);
    expect(attempts).toBeLessThanOrEqual(1.2 * REQUESTS + allowance);
  });

  it('over three hops, processes on a real wire, the deepest gets at most 1.25', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-hops-'));
    const hops: AppProcess[] = [];
    try {
      for (const name of ['first', 'second', 'third', 'backend']) {
        const env = {
          SERVICE_NAME: name,
          REGISTRY_URL: `file:${join(folder, 'registry')}`,
          SNAPSHOT_DIR: join(folder, 'snapshots'),
          ...(name === 'backend' && { FAILS: '1' }),
        };
        hops.push(await AppProcess.start(join(import.meta.dirname, '../../libs/testing/dist/relay/main.js'), { env }));
      }
      const [first, , , backend] = hops;
      const received = async () => Number(await (await fetch(`${backend!.ready.http}/received`)).text());
      const send = () => fetch(`${first!.ready.http}/relay?through=second,third,backend`);
      // Before they have seen each other, calls fail for another reason.
      await eventually(async () => {
        await send();
        return (await received()) > 0;
      });
      const before = await received();
      const statuses: number[] = [];
      const allowance = await requests(async () => {
        const response = await send();
        statuses.push(response.status);
        await response.arrayBuffer();
      });
      const attempts = (await received()) - before;
      report('15', 'three hops', {
        requests: REQUESTS,
        'attempts per request at the deepest': (attempts / REQUESTS).toFixed(3),
      });
      expect(new Set(statuses)).toEqual(new Set([503]));
      expect(attempts).toBeGreaterThanOrEqual(REQUESTS);
      expect(attempts).toBeLessThanOrEqual(1.25 * REQUESTS + allowance);
    } finally {
      await Promise.all(hops.map((hop) => hop[Symbol.asyncDispose]()));
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });
});
