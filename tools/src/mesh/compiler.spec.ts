import { eventually } from '@holdfast/testing';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Compiler } from './compiler.js';

it('reads from the compiler’s words when a build began, was good, or was not', async () => {
  const told: unknown[] = [];
  const compiler = new Compiler(
    process.cwd(),
    {
      building: () => told.push('building'),
      built: () => told.push('built'),
      broken: (lines) => told.push(lines),
      ended: () => told.push('ended'),
    },
    fileURLToPath(new URL('./fixtures/compiler.mjs', import.meta.url)),
  );
  const error = "apps/gateway/src/main.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.";
  const builds = ['building', 'built', 'building', [error], 'building', 'built'];
  await eventually(() => expect(told).toEqual(builds));
  await compiler.stop();
  expect(told).toEqual([...builds, 'ended']);
});
