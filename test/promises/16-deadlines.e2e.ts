import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, eventually } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registries, report } from './fleet.js';

interface Sighting {
  readonly service: string;
  readonly remainingMs: number;
  readonly requestId: string;
  readonly traceparent: string;
}

describe.each(registries)('promise 16, deadlines travel, on $kind', (registry) => {
  const hops: AppProcess[] = [];
  let folder: string;
  let close: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-hops-'));
    const { url, backend } = await registry.open(folder);
    close = backend && (() => backend.stop());
    for (const name of ['first', 'second', 'third']) {
      const env = { SERVICE_NAME: name, REGISTRY_URL: url, SNAPSHOT_DIR: join(folder, 'snapshots') };
      hops.push(await AppProcess.start(join(import.meta.dirname, '../../libs/testing/dist/relay/main.js'), { env }));
    }
    // The first call makes the connections, which later ones are not to pay for.
    await eventually(async () => expect((await relay({ work: 0 })).status).toBe(200));
  });

  afterAll(async () => {
    await Promise.all(hops.map((hop) => hop[Symbol.asyncDispose]()));
    await close?.();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const relay = ({
    work,
    headers = {},
    signal,
  }: {
    work: number;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  }) => fetch(`${hops[0]!.ready.http}/relay?through=second,third&work=${work}`, { headers, ...(signal && { signal }) });
  /** When each hop was told to stop, on the wall clock; undefined where it was not. */
  const stops = () =>
    hops.map(({ printed }) => {
      const last = [...printed.matchAll(/stopped (\d+)/g)].at(-1);
      return last && Number(last[1]);
    });

  it('each hop sees what is left of it, and whose call it is', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await relay({
      work: 50,
      headers: { 'x-request-timeout': '2000', 'x-request-id': 'r-16', traceparent },
    });
    const { sightings } = (await response.json()) as { sightings: Sighting[] };
    const remaining = sightings.map(({ remainingMs }) => remainingMs);
    report('16', registry.kind, { 'left at each hop, ms': remaining.map(Math.round).join(' > ') });
    expect(sightings.map(({ service }) => service)).toEqual(['first', 'second', 'third']);
    expect(remaining[0]).toBeLessThanOrEqual(2_000);
    expect(remaining[0]).toBeGreaterThan(1_800);
    for (const hop of [1, 2]) {
      // It travels in whole milliseconds, and timers are as exact.
      expect(remaining[hop]).toBeLessThanOrEqual(remaining[hop - 1]! - 50 + 2);
      expect(remaining[hop]).toBeGreaterThan(remaining[hop - 1]! - 300);
    }
    for (const sighting of sightings) expect(sighting).toMatchObject({ requestId: 'r-16', traceparent });
  });

  it('no hop is asked once it has passed', async () => {
    const before = stops();
    const response = await relay({ work: 400, headers: { 'x-request-timeout': '200' } });
    expect(response.status).toBe(504);
    await eventually(() => stops()[0] !== before[0]);
    // The later hops were never reached: they had nothing to stop.
    expect(stops().slice(1)).toEqual(before.slice(1));
  });

  it('work is told to stop soon after the caller has gone', async () => {
    const worst = { first: 0, third: 0 };
    for (const [hop, work, cancelAfter] of [
      ['first', 5_000, 300],
      ['third', 500, 1_300],
    ] as const) {
      const index = hop === 'first' ? 0 : 2;
      const before = stops()[index];
      const controller = new AbortController();
      const call = relay({ work, signal: controller.signal }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, cancelAfter));
      const cancelledAt = Date.now();
      controller.abort();
      await call;
      await eventually(() => stops()[index] !== before);
      worst[hop] = stops()[index]! - cancelledAt;
    }
    report('16', registry.kind, { 'stopped at the first hop after ms': worst.first, 'at the third': worst.third });
    expect(worst.first).toBeLessThanOrEqual(50);
    expect(worst.third).toBeLessThanOrEqual(50);
  });
});
