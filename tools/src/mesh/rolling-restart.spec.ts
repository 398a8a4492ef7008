import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { RollingRestart } from './rolling-restart.js';

function setup() {
  const clock = new FakeClock();
  const changes = new Set<string>();
  const rolls: string[][] = [];
  const waiting: (() => void)[] = [];
  const restarts = new RollingRestart({
    clock,
    quietMs: 300,
    changedApps: () => {
      const changed = new Set(changes);
      changes.clear();
      return changed;
    },
    roll: (apps) => {
      rolls.push([...apps]);
      return new Promise((resolve) => waiting.push(resolve));
    },
  });
  return { clock, changes, rolls, waiting, restarts };
}

describe('RollingRestart', () => {
  it('waits until builds have been quiet, and restarts what all of them changed once', async () => {
    const { clock, changes, rolls, restarts } = setup();
    changes.add('gateway');
    restarts.built();
    await clock.advance(200);
    changes.add('user-service');
    restarts.built();
    await clock.advance(299);
    expect(rolls).toEqual([]);
    await clock.advance(1);
    expect(rolls).toEqual([['gateway', 'user-service']]);
  });

  it('takes a restart back when sources change again', async () => {
    const { clock, changes, rolls, restarts } = setup();
    changes.add('gateway');
    restarts.built();
    await clock.advance(299);
    restarts.building();
    await clock.advance(10_000);
    expect(rolls).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('restarts nothing when no output changed', async () => {
    const { clock, rolls, restarts } = setup();
    restarts.built();
    await clock.advance(300);
    expect(rolls).toEqual([]);
  });

  it('does a restart that falls due during another one after it, not beside it', async () => {
    const { clock, changes, rolls, waiting, restarts } = setup();
    changes.add('gateway');
    restarts.built();
    await clock.advance(300);
    changes.add('user-service');
    restarts.built();
    await clock.advance(300);
    expect(rolls).toEqual([['gateway']]);
    waiting[0]?.();
    await clock.advance(0);
    expect(rolls).toEqual([['gateway'], ['user-service']]);
  });
});
