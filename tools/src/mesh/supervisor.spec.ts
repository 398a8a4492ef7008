import { systemClock, type Clock } from '@holdfast/core';
import { eventually, FakeClock } from '@holdfast/testing';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultBounds, type ChildBounds } from './child.js';
import { Screen } from './screen.js';
import { Supervisor } from './supervisor.js';

const script = fileURLToPath(new URL('./fixtures/app.mjs', import.meta.url));

let folder: string;
let journal: string;
let shown: string;
let running: { supervisor: Supervisor; code: Promise<number> }[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'supervisor-'));
  journal = join(folder, 'journal');
  shown = '';
  running = [];
});

afterEach(async () => {
  for (const { supervisor } of running) supervisor.kill();
  await Promise.all(running.map(({ code }) => code));
  rmSync(folder, { recursive: true, force: true });
});

interface Setup {
  readonly modes?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  readonly clock?: Clock;
  readonly bounds?: Partial<ChildBounds>;
  readonly patient?: boolean;
}

/** An edge and its services, behaving as `modes` say. */
function supervise({ modes = {}, replicas = 2, clock = systemClock, bounds = {}, patient = false }: Setup = {}) {
  const command = (label: string) => ({
    label,
    script,
    env: { LABEL: label, JOURNAL: journal, MODE: modes[label] ?? 'good', UNTIL_FILE: join(folder, 'broken') },
  });
  const labels = Array.from({ length: replicas }, (_, index) => `service-${index + 1}`);
  const supervisor = new Supervisor({
    tiers: [
      { app: 'edge', commands: [command('edge')] },
      { app: 'service', commands: labels.map(command) },
    ],
    screen: new Screen({ write: (text) => (shown += text) }),
    clock,
    random: () => 0.5,
    bounds: { ...defaultBounds, ...bounds },
    introduction: () => ['Everything serves.'],
    patient,
  });
  const run = { supervisor, code: supervisor.run() };
  running.push(run);
  return run;
}

/** What the fixtures wrote: `[label, what, pid]`, in the order of writing. */
function happenings(): [string, string, number][] {
  if (!existsSync(journal)) return [];
  const lines = readFileSync(journal, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [label = '', what = '', pid] = line.split(' ');
    return [label, what, Number(pid)];
  });
}

function times(label: string, what: string): number {
  return happenings().filter(([who, did]) => who === label && did === what).length;
}

function pidOf(label: string): number {
  return happenings().findLast(([who, what]) => who === label && what === 'started')![2];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const serving = () => eventually(() => expect(shown).toContain('Everything serves.'));
const nobodyIsLeft = () => happenings().every(([, , pid]) => !isAlive(pid));

describe('a start', () => {
  it('shows one line for each process that is ready, and the introduction once all are', async () => {
    supervise();
    await serving();
    for (const label of ['edge', 'service-1', 'service-2']) {
      expect(shown).toMatch(new RegExp(`^${label} +ready in +\\d+ ms +\\d+ MB  http://127.0.0.1:1 +${label}-id$`, 'm'));
    }
    expect(shown.trimEnd().endsWith('Everything serves.')).toBe(true);
  });

  it('passes on what the apps write, with their labels', async () => {
    supervise();
    await eventually(() => {
      expect(shown).toMatch(/^edge +│ a line on stdout$/m);
      expect(shown).toMatch(/^service-2 +│ a warning before it is ready$/m);
    });
  });

  it('that one process refuses shows its sentence once, stops all others and is exit code 1', async () => {
    const { code } = supervise({ modes: { 'service-1': 'refuses' } });
    expect(await code).toBe(1);
    expect(shown.match(/PORT must be a whole number/g)).toHaveLength(1);
    expect(shown).toMatch(/^service-1 +ended with exit code 1$/m);
    expect(shown).not.toContain('Everything serves.');
    expect(shown).not.toContain('starts again');
    expect(nobodyIsLeft()).toBe(true);
  });

  it('that all refuse shows one sentence, not one for each', async () => {
    const { code } = supervise({ modes: { edge: 'refuses', 'service-1': 'refuses', 'service-2': 'refuses' } });
    expect(await code).toBe(1);
    expect(shown.match(/PORT must be a whole number/g)).toHaveLength(1);
  });

  it('that never gets ready is bounded', async () => {
    const clock = new FakeClock();
    const { code } = supervise({ modes: { edge: 'never-ready' }, clock, bounds: { startMs: 1_000 } });
    await eventually(() => times('edge', 'started') === 1);
    await eventually(() => times('service-2', 'ready') === 1 && times('service-1', 'ready') === 1);
    await clock.advance(1_000);
    expect(await code).toBe(1);
    expect(shown).toMatch(/^edge +was not ready within 1000 ms and was killed$/m);
    expect(nobodyIsLeft()).toBe(true);
  });
});

describe('a process that ends unasked', () => {
  it('is started again after a jittered pause, and the others do not notice', async () => {
    const clock = new FakeClock();
    supervise({ clock, bounds: { pauseMs: 500 } });
    await serving();
    const killed = pidOf('service-1');
    process.kill(killed, 'SIGKILL');
    await eventually(() =>
      expect(shown).toMatch(/^service-1 +was killed by SIGKILL; starts again in 250 ms \(1 of 5\)$/m),
    );
    await clock.advance(249);
    expect(times('service-1', 'started')).toBe(1);
    await clock.advance(1);
    await eventually(() => expect(shown.match(/^service-1 +ready in/gm)).toHaveLength(2));
    expect(pidOf('service-1')).not.toBe(killed);
    expect(times('edge', 'started')).toBe(1);
    expect(times('service-2', 'started')).toBe(1);
  });

  it('over and over is given up with a sentence, and the mesh stops with exit code 1', async () => {
    const { code } = supervise({ modes: { 'service-2': 'dies' }, bounds: { restarts: 2, pauseMs: 1, maxPauseMs: 1 } });
    expect(await code).toBe(1);
    expect(shown).toMatch(/^service-2 +ended with exit code 7 and is given up after 2 restarts in a row$/m);
    expect(shown).toContain('The mesh stops, because service-2 does not stay up.');
    expect(times('service-2', 'started')).toBe(3);
    expect(nobodyIsLeft()).toBe(true);
  });

  it('after it served for long has all its restarts before it again', async () => {
    const clock = new FakeClock();
    supervise({ clock, bounds: { restarts: 1, pauseMs: 100, stableMs: 5_000 } });
    await serving();
    for (const round of [1, 2, 3]) {
      await clock.advance(5_000);
      process.kill(pidOf('edge'), 'SIGKILL');
      await eventually(() => expect(shown.match(/starts again in 50 ms \(1 of 1\)/g)).toHaveLength(round));
      await clock.advance(50);
      await eventually(() => expect(shown.match(/^edge +ready in/gm)).toHaveLength(round + 1));
    }
    expect(shown).not.toContain('given up');
  });
});

describe('an interrupt', () => {
  it('drains the edge to its end before it asks the services to drain, and is exit code 0', async () => {
    const { supervisor, code } = supervise();
    await serving();
    supervisor.interrupt();
    expect(await code).toBe(0);
    const order = happenings()
      .slice(-6)
      .map(([label, what]) => `${label} ${what}`);
    expect(order.slice(0, 2)).toEqual(['edge draining', 'edge ended']);
    expect(order.slice(2).sort()).toEqual([
      'service-1 draining',
      'service-1 ended',
      'service-2 draining',
      'service-2 ended',
    ]);
    expect(shown).not.toContain('starts again');
    expect(nobodyIsLeft()).toBe(true);
  });

  it('during the start ends what has begun, and is exit code 0', async () => {
    const { supervisor, code } = supervise({ modes: { edge: 'never-ready' } });
    await eventually(() => times('edge', 'started') === 1 && times('service-1', 'ready') === 1);
    supervisor.interrupt();
    expect(await code).toBe(0);
    expect(shown).not.toContain('does not start');
    expect(nobodyIsLeft()).toBe(true);
  });

  it('during the pause before a restart takes that restart back', async () => {
    const clock = new FakeClock();
    const { supervisor, code } = supervise({ clock });
    await serving();
    process.kill(pidOf('service-1'), 'SIGKILL');
    await eventually(() => expect(shown).toContain('starts again in'));
    supervisor.interrupt();
    expect(await code).toBe(0);
    expect(clock.pending).toBe(0);
    expect(times('service-1', 'started')).toBe(1);
  });

  it('kills what does not end within its bound, and says so', async () => {
    const clock = new FakeClock();
    const { supervisor, code } = supervise({ modes: { edge: 'stubborn' }, clock, bounds: { stopMs: 3_000 } });
    await serving();
    supervisor.interrupt();
    await eventually(() => times('edge', 'draining') === 1);
    await clock.advance(2_999);
    expect(isAlive(pidOf('edge'))).toBe(true);
    await clock.advance(1);
    expect(await code).toBe(0);
    expect(shown).toMatch(/^edge +did not end within 3000 ms and was killed$/m);
    expect(nobodyIsLeft()).toBe(true);
  });

  it('that comes twice in the same moment is one; once more, later, ends everything at once', async () => {
    const clock = new FakeClock();
    const { supervisor, code } = supervise({ modes: { edge: 'stubborn' }, clock });
    await serving();
    supervisor.interrupt();
    supervisor.interrupt();
    await eventually(() => times('edge', 'draining') === 1);
    expect(isAlive(pidOf('edge'))).toBe(true);
    await clock.advance(500);
    supervisor.interrupt();
    expect(await code).toBe(130);
    expect(times('service-1', 'draining')).toBe(0);
    expect(nobodyIsLeft()).toBe(true);
  });
});

describe('a rolling restart', () => {
  it('takes the processes of the named app one after another', async () => {
    const { supervisor } = supervise();
    await serving();
    await supervisor.roll(new Set(['service']));
    const after = happenings()
      .slice(-8)
      .map(([label, what]) => `${label} ${what}`);
    const renewal = ['draining', 'ended', 'started', 'ready'];
    expect(after).toEqual(['service-1', 'service-2'].flatMap((label) => renewal.map((what) => `${label} ${what}`)));
    expect(times('edge', 'started')).toBe(1);
  });

  it('takes the edge last', async () => {
    const { supervisor } = supervise({ replicas: 1 });
    await serving();
    await supervisor.roll(new Set(['edge', 'service']));
    expect(
      happenings()
        .slice(-8)
        .map(([label]) => label),
    ).toEqual([...Array.from({ length: 4 }, () => 'service-1'), ...Array.from({ length: 4 }, () => 'edge')]);
  });

  it('stops at a process that does not start, shows why, and leaves the others as they are', async () => {
    const { supervisor } = supervise({ modes: { 'service-1': 'refuses-while' }, patient: true });
    await serving();
    writeFileSync(join(folder, 'broken'), '');
    await supervisor.roll(new Set(['service']));
    expect(shown).toMatch(/^service-1 +│ This build does not start\.$/m);
    expect(shown).toContain('The rest runs on as it was; waiting for the next change.');
    expect(times('service-2', 'started')).toBe(1);

    rmSync(join(folder, 'broken'));
    await supervisor.roll(new Set(['service']));
    expect(times('service-1', 'ready')).toBe(2);
    expect(times('service-2', 'ready')).toBe(2);
  });

  it('that an interrupt overtakes starts nothing more', async () => {
    const { supervisor, code } = supervise();
    await serving();
    const rolled = supervisor.roll(new Set(['service']));
    supervisor.interrupt();
    expect(await code).toBe(0);
    await rolled;
    expect(times('service-2', 'started')).toBe(1);
    expect(nobodyIsLeft()).toBe(true);
  });
});
