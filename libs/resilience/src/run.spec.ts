import { CallContext, Cell, Code, DeadlineExceeded, ServiceError } from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { breakerSpec, Resilience, type ResilienceSpec, type RunOptions } from './index.js';

const down = () => new ServiceError(Code.UNAVAILABLE, 'down');
const late = () => new DeadlineExceeded('further down');

let clock: FakeClock;
let live: Cell<ResilienceSpec>;
let resilience: Resilience;
let jobs: Job[];

beforeEach(() => {
  clock = new FakeClock();
  resilience = new Resilience({ clock, random: () => 0.5, specOf: (_name, defaults) => (live = new Cell(defaults)) });
  jobs = [];
});

const work = (): unknown => {
  const job = new Job();
  jobs.push(job);
  return job.done;
};
const call = (options: RunOptions<unknown>, fn = work) =>
  resilience.run('job', fn, options).catch((error: unknown) => error);
const state = () => resilience.states()['job']!;
const counts = () => Object.fromEntries(Object.entries(state().calls).filter(([, count]) => count > 0));

describe('a call that retries', () => {
  const retry = { idempotent: true, retry: { attempts: 3, initialDelay: 0 } } as const;

  it('makes one attempt after each that took too long, also without a pause', async () => {
    const answer = call({ ...retry, attemptTimeout: 100 });
    await clock.advance(100);
    expect(jobs[0]!.context!.signal.aborted).toBe(true);
    await clock.advance(8);
    expect(jobs).toHaveLength(2);
    await clock.advance(300);
    expect(jobs).toHaveLength(3);
    expect(await answer).toMatchObject({ code: Code.DEADLINE_EXCEEDED, retriesExhausted: true });
  });

  it.each([
    ['repeats work that says itself that its time is over, where it is', 99, late(), 2],
    ['repeats it where others saw that time pass a moment sooner', 94, late(), 2],
    ['does not where that was another’s time', 93, late(), 1],
    ['does not for another error at that moment', 99, new ServiceError(Code.INTERNAL, 'broken'), 1],
  ])('%s', async (_rule, at, error, attempts) => {
    void call({ ...retry, attemptTimeout: 99 });
    await clock.advance(at);
    jobs[0]!.fail(error);
    await clock.advance(20);
    expect(jobs).toHaveLength(attempts);
  });

  it('ends with its deadline, which is not to have tried in vain', async () => {
    const answer = call({ ...retry, timeout: 100 });
    await clock.advance(100);
    expect(await answer).toMatchObject({ code: Code.DEADLINE_EXCEEDED, retriesExhausted: false });
  });

  it('gives up at once where the next attempt would begin at the deadline', async () => {
    const answer = call({ ...retry, timeout: 100 });
    jobs[0]!.fail(new ServiceError(Code.UNAVAILABLE, 'later', { retryAfterMs: 100 }));
    expect(await answer).toMatchObject({ message: 'later', retriesExhausted: true });
    expect(clock.now()).toBe(0);
  });

  it('keeps its permit while it pauses', async () => {
    const options = { ...retry, bulkhead: { limit: 1, queue: 1 } };
    const answer = call(options);
    jobs[0]!.fail(new ServiceError(Code.UNAVAILABLE, 'later', { retryAfterMs: 100 }));
    await settle();
    void call(options);
    expect(state().bulkhead).toMatchObject({ inUse: 1, queued: 1 });
    await clock.advance(100);
    jobs[1]!.end('done');
    expect(await answer).toBe('done');
    expect(state().bulkhead).toMatchObject({ inUse: 1, queued: 0 });
  });

  it('ends with what its attempt met where the breaker lets no other through', async () => {
    const options = { ...retry, breaker: { volumeThreshold: 1 } };
    const answer = call(options, () => Promise.reject(down()));
    await clock.advance(4);
    expect(await answer).toMatchObject({ message: 'down', retriesExhausted: true });
    expect(counts()).toEqual({ started: 1, error: 1 });
  });
});

describe('a call that hedges', () => {
  const hedge = { idempotent: true, timeout: '1s', hedge: { delay: 100 } } as const;

  it('begins its second attempt at that very moment, and each has its own time', async () => {
    const answer = call({ ...hedge, attemptTimeout: 152 });
    await clock.advance(100);
    const signals = jobs.map(({ context }) => context!.signal);
    await clock.advance(52);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(jobs).toHaveLength(2);
    await clock.advance(100);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(counts()).toEqual({ started: 1, timeout: 1 });
  });

  it('makes the second at once where the first fails before, and no third', async () => {
    const answer = call(hedge);
    jobs[0]!.fail(down());
    await clock.advance(4);
    expect(jobs).toHaveLength(2);
    await clock.advance(200);
    expect(jobs).toHaveLength(2);
    jobs[1]!.fail(down());
    expect(await answer).toMatchObject({ message: 'down', retriesExhausted: true });
  });

  it('ends once where the second attempt answers without a promise', async () => {
    let attempts = 0;
    const answer = call(hedge, () => (++attempts === 1 ? work() : 'second'));
    await clock.advance(100);
    expect(await answer).toBe('second');
    await clock.advance(2_000);
    expect(counts()).toEqual({ started: 1, ok: 1 });
  });

  it('takes a permit for each attempt, and frees it when that one has ended', async () => {
    const answer = call({ ...hedge, bulkhead: { limit: 2 } });
    await clock.advance(100);
    expect(state().bulkhead!.inUse).toBe(2);
    jobs[0]!.fail(down());
    await settle();
    expect(state().bulkhead!.inUse).toBe(1);
    jobs[1]!.fail(down());
    await answer;
    expect(state().bulkhead!.inUse).toBe(0);
  });

  it.each([{}, { bulkhead: { limit: 5 } }])(
    'makes no second attempt while the breaker is not closed: %j',
    async (room) => {
      const options = { ...hedge, ...room, breaker: { volumeThreshold: 2 } };
      const first = call(options);
      for (const end of ['one', 'two']) await call(options, () => Promise.reject(new ServiceError(Code.INTERNAL, end)));
      await clock.advance(200);
      expect(jobs).toHaveLength(1);
      jobs[0]!.end('first');
      expect(await first).toBe('first');
      expect(state().bulkhead?.inUse ?? 0).toBe(0);
    },
  );

  it('tells the breaker of both', async () => {
    const answer = call({ ...hedge, breaker: { volumeThreshold: 2 } });
    await clock.advance(100);
    expect(jobs).toHaveLength(2);
    for (const job of jobs) job.fail(down());
    await answer;
    expect(state().breaker).toBe('open');
  });

  it('stays within the budget', async () => {
    for (let n = 0; n < 200; n++) void call({ ...hedge, bulkhead: { limit: 1_000 } });
    await clock.advance(100);
    // 200 first attempts, 20 % of which are earned, and 100 saved up; they fade meanwhile.
    expect(jobs.length).toBeGreaterThan(335);
    expect(jobs.length).toBeLessThanOrEqual(340);
    expect(state().bulkhead!.inUse).toBe(jobs.length);
  });
});

describe('what the breaker learns of an attempt', () => {
  const breaker = { volumeThreshold: 1, slowCallDurationMs: 100 };

  it.each([
    ['an answer', 99, 'closed'],
    ['an answer', 100, 'open'],
  ] as const)('is how long %s took: after %d ms it is %s', async (_what, ms, expected) => {
    await clock.advance(10_000);
    const answer = call({ breaker });
    await clock.advance(ms);
    jobs[0]!.end('done');
    await answer;
    expect(state().breaker).toBe(expected);
  });

  it('is how long a failure took', async () => {
    await clock.advance(10_000);
    const options = { breaker: { volumeThreshold: 2, slowCallDurationMs: 100, slowCallPercentage: 50 } };
    const patient = { ...options.breaker, errorThresholdPercentage: 100 };
    await call({ breaker: patient }, () => 'fine');
    const answer = call({ breaker: patient });
    await clock.advance(99);
    jobs[0]!.fail(down());
    await answer;
    expect(state().breaker).toBe('closed');
  });

  it('is nothing where it began before there was a breaker', async () => {
    const answer = call({});
    live.set({ ...live.value, breaker: breakerSpec.parse({ volumeThreshold: 1 }) });
    jobs[0]!.fail(down());
    await answer;
    expect(state().breaker).toBe('closed');
  });

  it.each([
    ['nothing where a caller gives it less time than the policies', 99, { timeout: '1s' }, 'closed'],
    ['that it took too long where a caller gives it just as much', 99, { timeout: 99 }, 'open'],
    ['that it took too long where only the caller says how long', 99, {}, 'open'],
    [
      'that it took too long where its own time was over before the caller’s',
      200,
      { timeout: '1s', attemptTimeout: 99 },
      'open',
    ],
  ] as const)('is %s', async (_rule, deadline, options, expected) => {
    const context = new CallContext({ deadline });
    const answer = CallContext.run(context, () => call({ ...options, breaker }));
    await clock.advance(100);
    expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(state().breaker).toBe(expected);
  });

  it('is nothing, too, where the work says itself that the caller’s time is over', async () => {
    const context = new CallContext({ deadline: 99 });
    const answer = CallContext.run(context, () => call({ timeout: '1s', breaker }));
    await clock.advance(99);
    jobs[0]!.fail(late());
    expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(state().breaker).toBe('closed');
  });

  it('is that a probe has failed once the time of its attempt is over', async () => {
    const options = { attemptTimeout: 99, breaker: { volumeThreshold: 1, openMs: 1_000 } };
    await call(options, () => Promise.reject(down()));
    await clock.advance(1_100);
    void call(options);
    await clock.advance(98);
    expect(state().breaker).toBe('halfOpen');
    await clock.advance(1);
    expect(state().breaker).toBe('open');
  });
});
