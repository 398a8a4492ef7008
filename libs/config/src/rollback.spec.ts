import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Demand } from './claim.js';
import type { ConfigDriver } from './driver.js';
import { FileDriver } from './drivers/file.js';
import { MemoryDriver } from './drivers/memory.js';
import { ConfigEditor } from './editor.js';
import { judge } from './judgement.js';

const limits = z.strictObject({
  timeout: z.int().optional(),
  breaker: z.strictObject({ openMs: z.int().default(5), probes: z.int().default(1) }).optional(),
});
const demands: readonly Demand[] = [
  { key: 'greeting', schema: z.strictObject({ template: z.string().default('Hello') }) },
  { key: 'users.get', schema: limits, code: { timeout: 1_000 } },
  { key: 'users.list', schema: limits },
  { key: 'level', schema: z.enum(['log', 'warn']).default('log') },
];

const edits: Readonly<Record<string, readonly (string | null)[]>> = {
  'greeting.template': ['a', '"b: 1"', null],
  'users.get.timeout': ['900', '800', null],
  'users.get.breaker': ['{}', '{openMs: 7}', null],
  'users.get.breaker.openMs': ['1', '2', null],
  'users.list': ['{breaker: {probes: 3}}', '{}', null],
  level: ['warn', null],
  '': ['{}', '# by hand\nlevel: warn\nusers.get: { breaker: {} }\n', 'greeting: { template: document }'],
};

type Stores = (folder: string) => readonly [weaker: ConfigDriver, stronger: ConfigDriver];
const memory: Stores = () => [new MemoryDriver('weaker'), new MemoryDriver('stronger')];
const files: Stores = (folder) => [new FileDriver(join(folder, 'a.yaml')), new FileDriver(join(folder, 'b.yaml'))];

describe.each<[string, Stores]>([
  ['a store of entries', memory],
  ['a store of one document', files],
])('the history of %s', (_, open) => {
  it.each([5, 25, 31])('gives back every earlier state (seed %i)', { timeout: 30_000 }, async (seed) => {
    const random = seededRandom(seed);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-rollback-'));
    const drivers = open(folder);
    const inUse = async () => {
      const readings = await Promise.all(
        drivers.map((one) => one.read('users', undefined, new AbortController().signal)),
      );
      const layers = readings.map(({ entries }, index) => ({ name: drivers[index]!.name, entries }));
      return Object.fromEntries(judge(demands, layers).values);
    };
    await new ConfigEditor('users', demands, drivers.slice(0, 1), { by: 'bob@desk' }).write(
      new Map([['', 'greeting: { template: weaker }\nusers.get: { timeout: 999 }']]),
    );
    const editor = new ConfigEditor('users', demands, drivers, { by: 'ann@desk' });
    const states = [await inUse()];
    for (let turn = 0; turn < 40; turn++) {
      const path = pick(Object.keys(edits));
      const { revision } = await editor.write(new Map([[path, pick(edits[path]!)]]));
      if (revision !== undefined) states[revision] = await inUse();
    }
    expect(states.length).toBeGreaterThan(15);
    for (let turn = 0; turn < 20; turn++) {
      const revision = Math.floor(random() * states.length);
      await editor.rollback(revision);
      expect(await inUse(), `revision ${revision}`).toEqual(states[revision]);
      expect((await editor.rollback(revision)).revision, `revision ${revision} again`).toBeUndefined();
    }
    // Everything was the editor's own doing: what it foresaw is what the store then said.
    expect(new Set((await editor.history()).map(({ by }) => by))).toEqual(new Set(['ann@desk']));
    await Promise.all(drivers.map((driver) => driver.close()));
    await rm(folder, { recursive: true });
  });
});
