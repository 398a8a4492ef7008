import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Followers, stores } from './followers.js';
import { report } from './fleet.js';

const PROCESSES = 4;
const CHANGES = 100;
const PAUSE_MS = 50;
const CRASHES = 4;
/** Changes that a process misses in a row. */
const AWAY = 20;

describe.each(stores)('promise 17, hot configuration, on $kind', (kind) => {
  let followers: Followers;
  let mark = 0;
  beforeAll(async () => {
    followers = await Followers.start(kind, PROCESSES);
  });
  afterAll(() => followers[Symbol.asyncDispose]());

  it('is in use in every process within 100 ms (p99), whole', async () => {
    const latencies: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      // One at a time: four processes and the store share two cores with this one.
      await sleep(PAUSE_MS);
      const writtenAt = await followers.mark(++mark);
      await followers.haveSeen(mark);
      latencies.push(...followers.sights().map((sights) => Math.max(0, sights.at(-1)!.at - writtenAt)));
    }
    latencies.sort((a, b) => a - b);
    const p = (share: number) => latencies[Math.ceil(share * latencies.length) - 1]!;
    report('17', kind.kind, { changes: CHANGES, processes: PROCESSES, 'p50 ms': p(0.5), 'p99 ms': p(0.99) });
    expect(p(0.99)).toBeLessThanOrEqual(100);
    for (const { first, second, echo } of followers.sights().flat()) expect([second, echo]).toEqual([first, first]);
  });

  it('keeps breaker window and tokens', async () => {
    for (let call = 0; call < 19; call++) await followers.work();
    await followers.write([
      [
        'resilience.work',
        '{ rateLimit: { rate: 0.002, burst: 500 }, breaker: { errorThresholdPercentage: 40, windowMs: 90000 } }',
      ],
      ['marks', `{ first: ${++mark}, second: ${mark} }`],
      ['echo', String(mark)],
    ]);
    await followers.haveSeen(mark);
    // The twentieth failure of the window opens it, so the nineteen before the change still count.
    for (const { error, breaker, tokens } of await followers.work()) {
      expect({ error, breaker }).toEqual({ error: 'ServiceError', breaker: 'open' });
      // 980 of 1,000 were left, more than the new burst holds.
      expect(tokens).toBeGreaterThan(498);
      expect(tokens).toBeLessThanOrEqual(500);
    }
    for (const { error } of await followers.work()) expect(error).toBe('CircuitOpen');
  });

  it('refuses a bad value, takes the next good one, and is ready all the while', async () => {
    const before = mark;
    await followers.write([['marks.second', 'many']]);
    await followers.write([['echo', String(before)]]);
    const told = { status: 200, degraded: true, reasons: [expect.stringContaining('marks.second') as string] };
    await expect
      .poll(() => followers.readiness(), { timeout: 10_000 })
      .toEqual(Array(PROCESSES).fill(expect.objectContaining(told)));
    expect(followers.sights().map((sights) => sights.at(-1)!.first)).toEqual(Array(PROCESSES).fill(before));
    await followers.write([
      ['marks', `{ first: ${++mark}, second: ${mark} }`],
      ['marks.second', String(mark)],
      ['echo', String(mark)],
    ]);
    await followers.haveSeen(mark);
    await expect
      .poll(() => followers.readiness(), { timeout: 10_000 })
      .toEqual(Array(PROCESSES).fill(expect.objectContaining({ degraded: false })));
  });

  it('loses no update while a process was away, whatever the store has forgotten meanwhile', async () => {
    for (const app of followers.processes) app.freeze(true);
    for (let change = 0; change < AWAY; change++) {
      await followers.write([
        ['marks', `{ first: ${++mark}, second: ${mark} }`],
        ['marks.second', String(mark)],
        ['echo', String(mark)],
      ]);
    }
    await followers.store.compact?.();
    const backAt = Date.now();
    for (const app of followers.processes) app.freeze(false);
    const seenAt = await followers.haveSeen(mark);
    for (const { first, second } of followers.sights().flat()) expect(second).toBe(first);
    report('17', kind.kind, { 'changes while away': AWAY, 'the last one seen after ms': seenAt - backAt });
  });

  it('loses no update over disconnects', async ({ skip }) => {
    const { crash } = followers.store;
    if (!crash) return skip('a file has no connection to lose');
    const seen: number[] = [];
    for (let round = 0; round < CRASHES; round++) {
      const restore = await crash();
      // Of several servers the others go on; a single one has to come back first.
      const alone = kind.kind !== 'etcd of three members';
      if (alone) await restore();
      await followers.write([
        ['marks', `{ first: ${++mark}, second: ${mark} }`],
        ['marks.second', String(mark)],
        ['echo', String(mark)],
      ]);
      const writtenAt = Date.now();
      seen.push((await followers.haveSeen(mark, 30_000)) - writtenAt);
      if (!alone) await restore();
    }
    for (const { first, second } of followers.sights().flat()) expect(second).toBe(first);
    report('17', kind.kind, {
      'seen of those written around a crash': `${seen.length} of ${CRASHES}`,
      'after ms': seen.join(', '),
    });
  });
});
