// One sample, for run.mjs: measure.mjs read | load <document|single|file> <claims> | idle <seconds>
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@holdfast/core';
import { Config, openConfigDriver } from '@holdfast/config';
import { Logger } from '@nestjs/common';
import { z } from 'zod';

const deps = { clock: systemClock, random: Math.random };
const signal = new AbortController().signal;
Logger.overrideLogger(false);

const kinds = { read, load, idle };
const [kind, ...args] = process.argv.slice(2);
console.log(JSON.stringify(await kinds[kind](...args)));

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Nanoseconds to read a number from a cell's value, as a policy does, and the same from an object that never changes. */
async function read() {
  const config = new Config('bench', [await openConfigDriver('memory:read', deps)]);
  const schema = z.object({ size: z.number().default(3) });
  const cells = Array.from({ length: 64 }, (_, n) => config.live(`part-${n}`, schema));
  const plain = Array.from({ length: 64 }, () => ({ value: { size: 3 } }));
  await config.start();
  const rounds = 1_000_000;
  const time = (readers) => {
    let sum = 0;
    const before = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) {
      for (let index = 0; index < 64; index++) sum += readers[index].value.size;
    }
    const ns = Number(process.hrtime.bigint() - before) / (rounds * 64);
    if (sum !== rounds * 64 * 3) throw new Error('it read something else');
    return ns;
  };
  time(cells);
  time(plain);
  const result = { cell: time(cells), plain: time(plain) };
  await config.close();
  return result;
}

/** Milliseconds from the start to the point where all values are in place, and of CPU, which a busy machine does not stretch. */
async function load(shape, claims) {
  const cold = await loadOnce(shape, Number(claims), 'cold');
  let warm = Infinity;
  for (let round = 0; round < 5; round++) {
    warm = Math.min(warm, (await loadOnce(shape, Number(claims), `warm-${round}`)).ms);
  }
  return { cold: cold.ms, cpu: cold.cpu, warm };
}

async function loadOnce(shape, claims, name) {
  const keys = Array.from({ length: 10_000 }, (_, n) => `part-${n % 100}.key-${n}`);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const file = join(folder, 'holdfast.yaml');
  const driver = await openConfigDriver(shape === 'file' ? `file:${file}` : `memory:${name}`, deps);
  const parts = Array.from({ length: 100 }, (_, part) => {
    const own = keys.flatMap((key, n) => (n % 100 === part ? [`  ${key.split('.')[1]}: ${n}`] : []));
    return [`part-${part}:`, ...own].join('\n');
  });
  const changes = shape === 'document' ? [['', parts.join('\n')]] : keys.map((key, n) => [key, String(n)]);
  if (shape === 'file') writeFileSync(file, `bench:\n${parts.join('\n').replace(/^/gm, '  ')}\n`);
  else await driver.write('bench', new Map(changes), (await driver.read('bench', undefined, signal)).cursor, signal);

  const config = new Config('bench', [driver]);
  const number = z.number().default(0);
  const record = z.record(z.string(), z.number()).default({});
  const cells =
    claims === 100
      ? Array.from({ length: 100 }, (_, n) => config.live(`part-${n}`, record))
      : keys.map((key) => config.live(key, number));
  const [before, cpuBefore] = [performance.now(), process.cpuUsage()];
  await config.start();
  const ms = performance.now() - before;
  const { user, system } = process.cpuUsage(cpuBefore);
  const last = cells.at(-1).value;
  if ((typeof last === 'number' ? last : last['key-9999']) !== 9_999) throw new Error('not all was loaded');
  await config.close();
  rmSync(folder, { recursive: true });
  return { ms, cpu: (user + system) / 1_000 };
}

/** CPU of a process that waits for a file to change. */
async function idle(seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const file = join(folder, 'holdfast.yaml');
  writeFileSync(file, 'bench: { a: 1 }\n');
  const config = new Config('bench', [await openConfigDriver(`file:${file}`, deps)]);
  config.live('a', z.number().default(0));
  await config.start();
  await wait(2_000);
  const before = process.cpuUsage();
  await wait(seconds * 1_000);
  const { user, system } = process.cpuUsage(before);
  await config.close();
  rmSync(folder, { recursive: true });
  const cpuMs = (user + system) / 1_000;
  return { seconds: Number(seconds), cpuMs, percent: cpuMs / (seconds * 10) };
}
