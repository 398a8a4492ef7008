// One sample, for run.mjs: measure.mjs <instances> <changes>
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@holdfast/core';
import { Discovery, FileSnapshots, openRegistry } from '@holdfast/discovery';
import { Logger } from '@nestjs/common';

Logger.overrideLogger(false);
const [size, changes] = process.argv.slice(2).map(Number);

/**
 * How late a timer of a millisecond is: the longest is how long the event loop stood still. It sleeps in between, since a
 * loop that is always busy is made to wait for the machine's other work, and shows that instead.
 */
class Pulse {
  #delays = monitorEventLoopDelay({ resolution: 1 });

  constructor() {
    this.#delays.enable();
  }

  /** The longest delay since the last call, in milliseconds. */
  take() {
    const longest = Math.max(0, this.#delays.max / 1e6 - 1);
    this.#delays.reset();
    return longest;
  }

  stop() {
    this.#delays.disable();
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const consul = fork(fileURLToPath(new URL('consul.mjs', import.meta.url)), [String(size)]);
const [{ port, bytes }] = await once(consul, 'message');
const driver = await openRegistry(`consul://127.0.0.1:${port}`, { clock: systemClock, random: Math.random });
const folder = mkdtempSync(join(tmpdir(), 'bench-registry-'));
const discovery = new Discovery(driver, { snapshots: new FileSnapshots(folder) });
const first = new Pulse();
const view = discovery.watch('user-service');
while (view.instances.value.length !== size) await wait(5);
const firstMs = first.take();
first.stop();
await wait(500);

const [blocked, quiet, delay, busy] = [[], [], [], []];
for (let change = 1; change <= changes + 3; change++) {
  const seen = new Promise((resolve) => {
    const unsubscribe = view.instances.subscribe(() => {
      unsubscribe();
      resolve(performance.now());
    });
  });
  const pulse = new Pulse();
  consul.send({ change });
  // From here on the answer comes in; what the change costs the other process is not what is measured.
  await once(consul, 'message');
  const changedAt = performance.now();
  pulse.take();
  const seenAt = await seen;
  // What follows from it in the same turn, and in the next, counts too.
  await wait(5);
  let longest = pulse.take();
  // The snapshot is written half a second after a change.
  await wait(600);
  longest = Math.max(longest, pulse.take());
  // As long again without a change: what the machine itself takes of the loop.
  await wait(800);
  const otherwise = pulse.take();
  pulse.stop();
  // The first few are the compiler's.
  if (change <= 3) continue;
  blocked.push(longest);
  quiet.push(otherwise);
  delay.push(seenAt - changedAt);
}

// The pulse keeps the loop busy itself, so how much of a turn is work is measured without it.
for (let change = 1; change <= Math.min(changes, 10); change++) {
  const seen = new Promise((resolve) => {
    const unsubscribe = view.instances.subscribe(() => {
      unsubscribe();
      resolve();
    });
  });
  const before = performance.eventLoopUtilization();
  consul.send({ change: change + 1_000 });
  await seen;
  await wait(20);
  busy.push(performance.eventLoopUtilization(before).active);
  await wait(150);
}
const rssMb = process.memoryUsage().rss / 1e6;
await discovery.close();
consul.kill();
rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify({ size, bytes, first: firstMs, blocked, quiet, delay, busy, rssMb }));
process.exit(0);
