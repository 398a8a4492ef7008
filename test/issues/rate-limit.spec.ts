import { Resilience } from '@holdfast/resilience';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';

describe('a racy throttle passes 200 of 200', () => {
  it('of 200 calls in one moment the burst of 10 passes, whatever the work awaits', async () => {
    const resilience = new Resilience({ clock: new FakeClock() });
    let began = 0;
    const work = async () => {
      began++;
      await Promise.resolve();
    };
    const calls = Array.from({ length: 200 }, () =>
      resilience.run('job', work, { rateLimit: { rate: 10, burst: 10 } }),
    );
    const passed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled');
    expect([began, passed.length]).toEqual([10, 10]);
    expect(resilience.states()['job']!.calls).toMatchObject({ ok: 10, limited: 190 });
  });
});
