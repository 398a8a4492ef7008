import {
  BulkheadFull,
  CallContext,
  Cancelled,
  Cell,
  CircuitOpen,
  Code,
  DeadlineExceeded,
  RateLimited,
  RetriesExhausted,
  seededRandom,
  ServiceError,
  TICK_MS,
} from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Resilience, type RunOptions, type ResilienceSpec } from './index.js';

const down = () => new ServiceError(Code.UNAVAILABLE, 'down');
const buggy = () => {
  throw new TypeError('a bug');
};
const unknownUser = () => new ServiceError(Code.NOT_FOUND, 'no such user');

let clock: FakeClock;
let resilience: Resilience;
let jobs: Job[];

beforeEach(() => {
  clock = new FakeClock();
  resilience = new Resilience({ clock, random: seededRandom(3) });
  jobs = [];
});

const work = () => {
  const job = new Job();
  jobs.push(job);
  return job.done;
};
/** Calls `work` under `options`; the outcome is a value or an error, so that nothing is rejected unseen. */
const call = (options: RunOptions<unknown>, fn: () => unknown = work) =>
  resilience.run('job', fn, options).catch((error: unknown) => error);
const counts = () => {
  const { started, ...ended } = resilience.states()['job']!.calls;
  return { started, ...Object.fromEntries(Object.entries(ended).filter(([, count]) => count > 0)) };
};

describe('the total deadline', () => {
  it('ends the call, not before its time and at most a tick later, and tells the work', async () => {
    const answer = call({ timeout: '1s' });
    await clock.advance(999);
    const { signal, deadline } = jobs[0]!.context!;
    expect(deadline).toBe(1_000);
    expect(signal.aborted).toBe(false);
    await clock.advance(1 + TICK_MS);
    expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(signal.reason).toBe(await answer);
    expect(counts()).toEqual({ started: 1, timeout: 1 });
  });

  it('never outlasts the caller’s, and no attempt begins past it', async () => {
    const context = new CallContext({ deadline: 100 });
    const answer = CallContext.run(context, () => call({ timeout: '1s' }));
    expect(jobs[0]!.context!.deadline).toBe(100);
    await clock.advance(100 + TICK_MS);
    expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(await CallContext.run(context, () => call({ timeout: '1s' }))).toBeInstanceOf(DeadlineExceeded);
    expect(jobs).toHaveLength(1);
  });

  it('covers waiting in queues', async () => {
    const options = { timeout: 50, bulkhead: { limit: 1, queue: 5, maxWait: '10s' } } as const;
    const answers = [call(options), call(options)];
    await clock.advance(50 + TICK_MS);
    for (const answer of answers) expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(jobs).toHaveLength(1);
  });

  it('aborts only the call’s own signal', async () => {
    const slow = call({ timeout: '1s' });
    await clock.advance(500);
    const other = call({ timeout: '1s' });
    const signals = jobs.map(({ context }) => context!.signal);
    await clock.advance(500 + TICK_MS);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    jobs[1]!.end('fine');
    expect(await slow).toBeInstanceOf(DeadlineExceeded);
    expect(await other).toBe('fine');
  });

  it('leaves the work alone once it has answered, and no timer once all have', async () => {
    const answer = call({ timeout: '1s' });
    const { signal } = jobs[0]!.context!;
    jobs[0]!.end(7);
    expect(await answer).toBe(7);
    await clock.advance(2_000);
    expect(signal.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe('cancellation', () => {
  it('ends a call that waits or runs, and tells the work', async () => {
    const caller = new AbortController();
    const context = new CallContext({ signal: caller.signal });
    const options = { timeout: '1s', bulkhead: { limit: 1, queue: 5 } } as const;
    const answers = CallContext.run(context, () => [call(options), call(options)]);
    const { signal } = jobs[0]!.context!;
    caller.abort(new Cancelled('gone'));
    for (const answer of answers) expect(await answer).toEqual(new Cancelled('gone'));
    expect(signal.aborted).toBe(true);
    expect(counts()).toEqual({ started: 2, cancelled: 2 });
    expect(resilience.states()['job']!.bulkhead).toEqual({ inUse: 1, queued: 0, limit: 1 });
    jobs[0]!.fail(new Error('stopped'));
    await settle();
    expect(resilience.states()['job']!.bulkhead).toEqual({ inUse: 0, queued: 0, limit: 1 });
  });

  it('keeps a call that is cancelled already from any work', async () => {
    const left = new Error('left');
    const context = new CallContext({ signal: AbortSignal.abort(left) });
    const answer = await CallContext.run(context, () => call({}));
    expect(answer).toBeInstanceOf(Cancelled);
    expect(answer).toMatchObject({ message: expect.stringContaining('not wait'), cause: left });
    expect(jobs).toEqual([]);
  });

  it('of one queued call touches no other', async () => {
    const caller = new AbortController();
    const options = { bulkhead: { limit: 1, queue: 2 } };
    const first = call(options);
    const second = CallContext.run(new CallContext({ signal: caller.signal }), () => call(options));
    const third = call(options);
    caller.abort();
    expect(await second).toBeInstanceOf(Cancelled);
    jobs[0]!.end(1);
    expect(await first).toBe(1);
    await settle();
    expect(jobs).toHaveLength(2);
    jobs[1]!.end(3);
    expect(await third).toBe(3);
  });
});

describe('the fallback', () => {
  it('answers for failures and refusals, not for the caller’s mistakes', async () => {
    const options = { fallback: { value: 'default' }, bulkhead: { limit: 1 } };
    expect(await call(options, () => Promise.reject(down()))).toBe('default');
    expect(await call(options, () => Promise.reject(unknownUser()))).toEqual(unknownUser());
    void call(options);
    expect(await call(options)).toBe('default');
    expect(counts()).toEqual({ started: 4, fallback: 2, error: 1 });
  });

  it('gets the error, in the caller’s context, and may throw another', async () => {
    const seen: unknown[] = [];
    const fallback = (error: unknown) => {
      seen.push(error, CallContext.current());
      throw new Error('nothing better');
    };
    const context = new CallContext({ requestId: 'r1' });
    const answer = CallContext.run(context, () => call({ timeout: 10, fallback }));
    await clock.advance(10 + TICK_MS);
    expect(await answer).toEqual(new Error('nothing better'));
    expect(seen).toEqual([expect.any(DeadlineExceeded), context]);
    expect(counts()).toEqual({ started: 1, timeout: 1 });
  });

  it('ends the call also where what decides about it throws', async () => {
    expect(await call({ fallback: { value: 1 }, fallbackOn: buggy }, () => Promise.reject(down()))).toBeInstanceOf(
      TypeError,
    );
    expect(counts()).toEqual({ started: 1, error: 1 });
  });

  it('may take its time, and counts only where it answers', async () => {
    expect(await call({ fallback: async () => 'default' }, () => Promise.reject(down()))).toBe('default');
    expect(counts()).toEqual({ started: 1, fallback: 1 });
  });

  it.each([
    ['a promise', () => Promise.reject(new Error('no default'))],
    // oxlint-disable-next-line unicorn/no-thenable
    ['a query', () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error('no default')) })],
  ])('that fails later, as %s, leaves the call what it failed with', async (_what, fallback) => {
    expect(await call({ fallback }, () => Promise.reject(down()))).toEqual(new Error('no default'));
    expect(counts()).toEqual({ started: 1, error: 1 });
  });

  it('covers what the option says', async () => {
    const options = {
      fallback: () => 'nobody',
      fallbackOn: (error: unknown) => error instanceof ServiceError && error.code === Code.NOT_FOUND,
    };
    expect(await call(options, () => Promise.reject(unknownUser()))).toBe('nobody');
    expect(await call(options, () => Promise.reject(down()))).toEqual(down());
  });
});

describe('retry', () => {
  const retry: RunOptions<unknown> = { idempotent: true, retry: { attempts: 3 } };

  it('repeats what is unavailable, up to its attempts, and says that it has', async () => {
    const answer = call(retry, async () => {
      jobs.push(new Job());
      throw down();
    });
    await clock.advance(1_000);
    expect(await answer).toBeInstanceOf(RetriesExhausted);
    expect(await answer).toMatchObject({ code: Code.UNAVAILABLE, message: 'down', cause: down() });
    expect(jobs.map(({ context }) => context!.attempt)).toEqual([0, 1, 2]);
    expect(new Set(jobs.map(({ context }) => context!.tried)).size).toBe(1);
    expect(jobs[0]!.context!.tried).toBeInstanceOf(Set);
    expect(jobs.every(({ context }) => context!.retriesOwned)).toBe(true);
    expect(counts()).toEqual({ started: 1, error: 1 });
  });

  it('ends with the first answer', async () => {
    const answer = call(retry);
    jobs[0]!.fail(down());
    await clock.advance(200);
    jobs[1]!.end('at last');
    expect(await answer).toBe('at last');
    expect(counts()).toEqual({ started: 1, ok: 1 });
  });

  it.each([
    ['another code', unknownUser()],
    ['what a hop below has retried', new RetriesExhausted(down())],
    ['a refusal', new CircuitOpen('open')],
    ['a bug', new TypeError('x is undefined')],
  ])('does not repeat %s', async (_what, error) => {
    const answer = call(retry);
    jobs[0]!.fail(error);
    expect(await answer).toBe(error);
    await clock.advance(5_000);
    expect(jobs).toHaveLength(1);
  });

  it('leaves it to a layer above that retries', async () => {
    const answer = CallContext.run(new CallContext({ retriesOwned: true }), () => call(retry));
    jobs[0]!.fail(down());
    expect(await answer).toEqual(down());
    await clock.advance(5_000);
    expect(jobs).toHaveLength(1);
  });

  it('waits as long as the other side asks, and gives up at once where the deadline is earlier', async () => {
    const later = new ServiceError(Code.UNAVAILABLE, 'later', { retryAfterMs: 700 });
    const answer = call({ ...retry, timeout: '2s' });
    jobs[0]!.fail(later);
    await clock.advance(699);
    expect(jobs).toHaveLength(1);
    await clock.advance(1 + TICK_MS);
    expect(jobs).toHaveLength(2);
    jobs[1]!.fail(new ServiceError(Code.UNAVAILABLE, 'much later', { retryAfterMs: 1_500 }));
    expect(await answer).toMatchObject({ message: 'much later', retriesExhausted: true });
  });

  it('repeats an attempt that took longer than its own timeout, elsewhere', async () => {
    const answer = call({ ...retry, timeout: '1s', attemptTimeout: '200ms' });
    await clock.advance(200 + TICK_MS);
    expect(jobs[0]!.context!.signal.aborted).toBe(true);
    await clock.advance(100);
    expect(jobs).toHaveLength(2);
    jobs[0]!.end('too late');
    await settle();
    jobs[1]!.end('in time');
    expect(await answer).toBe('in time');
  });

  it('stops when the caller leaves in a pause', async () => {
    const caller = new AbortController();
    const answer = CallContext.run(new CallContext({ signal: caller.signal }), () => call(retry));
    jobs[0]!.fail(down());
    await settle();
    caller.abort();
    expect(await answer).toBeInstanceOf(Cancelled);
    await clock.advance(5_000);
    expect(jobs).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('stays within the budget of its target', async () => {
    let attempts = 0;
    const fail = async () => {
      attempts++;
      throw down();
    };
    const answers = Array.from({ length: 1_000 }, (_, n) =>
      resilience.run(`name${n % 2}`, fail, { ...retry, target: 'users' }).catch((error: unknown) => error),
    );
    await clock.advance(1_000);
    for (const answer of answers) expect(await answer).toMatchObject({ retriesExhausted: true });
    // 20 % of 1,000 requests, 100 saved up, and 10 of the second that this took.
    expect(attempts).toBeGreaterThanOrEqual(1_290);
    expect(attempts).toBeLessThanOrEqual(1_310);
  });
});

describe('the bulkhead', () => {
  const options = { attemptTimeout: 100, bulkhead: { limit: 2, queue: 1, maxWait: 50 } } as const;

  it('refuses beyond limit and queue, admits in order, and bounds the wait', async () => {
    const answers = [call(options), call(options), call(options), call(options)];
    expect(await answers[3]).toBeInstanceOf(BulkheadFull);
    expect(jobs).toHaveLength(2);
    jobs[1]!.end('second');
    await settle();
    expect(jobs).toHaveLength(3);
    const waits = call(options);
    await clock.advance(50 + TICK_MS);
    expect(await waits).toBeInstanceOf(BulkheadFull);
    expect(counts()).toEqual({ started: 5, ok: 1, full: 2 });
  });

  it('counts work that was given up until it really ends', async () => {
    const answers = [call(options), call(options)];
    await clock.advance(100 + TICK_MS);
    for (const answer of answers) expect(await answer).toBeInstanceOf(DeadlineExceeded);
    expect(resilience.states()['job']!.bulkhead!.inUse).toBe(2);
    const waits = call(options);
    expect(jobs).toHaveLength(2);
    jobs[0]!.end();
    await settle();
    expect(jobs).toHaveLength(3);
    jobs[2]!.end('now');
    expect(await waits).toBe('now');
    jobs[1]!.fail(new Error('late'));
    await settle();
    expect(resilience.states()['job']!.bulkhead!.inUse).toBe(0);
  });

  it('gives a further attempt a permit of its own while the last one’s work runs on', async () => {
    const answer = call({ idempotent: true, retry: {}, attemptTimeout: 100, timeout: '1s', bulkhead: { limit: 1 } });
    await clock.advance(500);
    expect(jobs).toHaveLength(1);
    expect(await answer).toBeInstanceOf(DeadlineExceeded);
  });
});

describe('the rate limit', () => {
  it('lets the burst pass and refuses the rest with the time to wait', async () => {
    const options = { rateLimit: { rate: 10, burst: 3 } };
    const answers = await Promise.all(Array.from({ length: 5 }, () => call(options, () => 'ok')));
    expect(answers.slice(0, 3)).toEqual(['ok', 'ok', 'ok']);
    expect(answers[4]).toBeInstanceOf(RateLimited);
    expect(answers[4]).toMatchObject({ retryAfterMs: 100 });
    expect(counts()).toEqual({ started: 5, ok: 3, limited: 2 });
  });

  it('makes calls wait in turn, within maxWait and the deadline', async () => {
    const options = { timeout: '1s', rateLimit: { rate: 10, burst: 1, maxWait: 250 } } as const;
    const at: number[] = [];
    const answers = Array.from({ length: 4 }, () => call(options, () => at.push(clock.now())));
    await clock.advance(400);
    expect((await Promise.all(answers)).at(-1)).toBeInstanceOf(RateLimited);
    expect(at).toEqual([0, 100, 200]);
  });
});

describe('the breaker', () => {
  const options = { breaker: { volumeThreshold: 4, openMs: 1_000 } };

  it('opens on failures, refuses without work, and closes after a probe', async () => {
    for (let n = 0; n < 4; n++) await call(options, () => Promise.reject(down()));
    expect(await call(options)).toBeInstanceOf(CircuitOpen);
    expect(jobs).toEqual([]);
    await clock.advance(1_300);
    expect(resilience.states()['job']!.breaker).toBe('halfOpen');
    expect(await call(options, () => 'up')).toBe('up');
    expect(resilience.states()['job']!.breaker).toBe('closed');
    expect(counts()).toEqual({ started: 6, error: 4, open: 1, ok: 1 });
  });

  it('is not moved by the caller’s mistakes, refusals, cancellation and a caller’s haste', async () => {
    const hasty = { ...options, timeout: '1s' } as const;
    for (let n = 0; n < 20; n++) {
      await call(hasty, () => Promise.reject(unknownUser()));
      await call(hasty, () => Promise.reject(new CircuitOpen('below')));
      const context = new CallContext({ deadline: clock.now() + 5 });
      const late = CallContext.run(context, () => call(hasty));
      await clock.advance(5 + TICK_MS);
      expect(await late).toBeInstanceOf(DeadlineExceeded);
    }
    expect(resilience.states()['job']!.breaker).toBe('closed');
  });

  it('counts attempts that take too long', async () => {
    for (let n = 0; n < 4; n++) void call({ ...options, timeout: 100 });
    await clock.advance(100 + TICK_MS);
    expect(resilience.states()['job']!.breaker).toBe('open');
  });
});

describe('hedging', () => {
  const hedge = { idempotent: true, timeout: '1s', hedge: { delay: 100 } } as const;

  it('asks again beside what takes long; the first answer counts, and the other attempt is cancelled', async () => {
    const answer = call(hedge);
    await clock.advance(100 + TICK_MS);
    expect(jobs.map(({ context }) => context!.attempt)).toEqual([0, 1]);
    const slow = jobs[0]!.context!.signal;
    jobs[1]!.end('second');
    expect(await answer).toBe('second');
    expect(slow.reason).toBeInstanceOf(Cancelled);
    expect(counts()).toEqual({ started: 1, ok: 1 });
  });

  it('does not where the answer comes before', async () => {
    const answer = call(hedge);
    await clock.advance(90);
    jobs[0]!.end('first');
    expect(await answer).toBe('first');
    await clock.advance(1_000);
    expect(jobs).toHaveLength(1);
  });

  it('fails when both have', async () => {
    const answer = call(hedge);
    await clock.advance(100 + TICK_MS);
    jobs[0]!.fail(down());
    await settle();
    jobs[1]!.fail(down());
    expect(await answer).toMatchObject({ code: Code.UNAVAILABLE, retriesExhausted: true });
  });

  it('needs a permit and the budget', async () => {
    void call({ ...hedge, bulkhead: { limit: 1 } });
    await clock.advance(200);
    expect(jobs).toHaveLength(1);
  });
});

describe('cache and coalesce', () => {
  it('shares one run among callers for the same, and begins another after it', async () => {
    const options = { coalesce: true };
    const answers = [call(options), call(options)];
    expect(jobs).toHaveLength(1);
    jobs[0]!.end('shared');
    expect(await Promise.all(answers)).toEqual(['shared', 'shared']);
    void call(options);
    expect(jobs).toHaveLength(2);
    expect(counts()).toEqual({ started: 3, ok: 2 });
  });

  it('goes on while anyone waits, whoever leaves, and is cancelled with the last', async () => {
    const callers = [new AbortController(), new AbortController()];
    const answers = callers.map(({ signal }) =>
      CallContext.run(new CallContext({ signal, requestId: 'r' }), () => call({ coalesce: true, timeout: '1s' })),
    );
    const { signal } = jobs[0]!.context!;
    callers[0]!.abort();
    expect(await answers[0]).toBeInstanceOf(Cancelled);
    expect(signal.aborted).toBe(false);
    callers[1]!.abort();
    expect(await answers[1]).toBeInstanceOf(Cancelled);
    expect(signal.aborted).toBe(true);
    expect(counts()).toEqual({ started: 2, cancelled: 2 });
  });

  it('gives an answer again for its time, and then in place of a failure', async () => {
    const options = { cache: { ttl: '1s', staleIfError: '1s' } } as const;
    let failing = false;
    const ask = () => call(options, () => (failing ? Promise.reject(down()) : 'fresh'));
    expect(await ask()).toBe('fresh');
    failing = true;
    expect(await ask()).toBe('fresh');
    await clock.advance(1_000);
    expect(await ask()).toBe('fresh');
    await clock.advance(1_000);
    expect(await ask()).toEqual(down());
    expect(counts()).toEqual({ started: 4, ok: 2, fallback: 1, error: 1 });
  });
});

describe('what operators see', () => {
  it('is every policy that the name has, and no other', async () => {
    resilience.run('bare', () => 'fine', {});
    expect(resilience.states()['bare']).toEqual({ calls: expect.objectContaining({ started: 1, ok: 1 }) });
    await call({ idempotent: true, retry: {}, cache: { ttl: '1s' } }, () => 'kept');
    expect(Object.keys(resilience.states()['job']!)).toEqual(['retryBudget', 'cached', 'calls']);
    expect(resilience.states()['job']).toMatchObject({ cached: 1 });
    expect(resilience.states()['job']!.retryBudget).toBeCloseTo(100.2);
    await resilience.run('hedged', () => 'fine', { idempotent: true, hedge: { delay: 10 } });
    expect(resilience.states()['hedged']!.retryBudget).toBeCloseTo(100.2);
  });

  it.each([
    ['timeout', new DeadlineExceeded('below')],
    ['cancelled', new Cancelled('below')],
    ['error', new TypeError('a bug')],
  ])('of work that failed is the class of its error: %s', async (outcome, error) => {
    expect(await call({}, () => Promise.reject(error))).toBe(error);
    expect(counts()).toEqual({ started: 1, [outcome]: 1 });
  });
});

describe('live numbers', () => {
  it('hold from the next decision on, and keep what was counted', async () => {
    let live: Cell<ResilienceSpec> | undefined;
    resilience = new Resilience({ clock, specOf: (_name, defaults) => (live = new Cell(defaults)) });
    const options = { bulkhead: { limit: 1, queue: 5, maxWait: '1m' }, rateLimit: { rate: 10, burst: 10 } } as const;
    for (let n = 0; n < 4; n++) void call(options);
    expect(jobs).toHaveLength(1);
    live!.set({ ...live!.value, bulkhead: { limit: 3, queue: 5, maxWait: 1_000 } });
    expect(jobs).toHaveLength(3);
    live!.set({ ...live!.value, rateLimit: { rate: 1_000, burst: 10, maxWait: 0 } });
    expect(resilience.states()['job']).toMatchObject({ tokens: 6, bulkhead: { inUse: 3, queued: 1, limit: 3 } });
    resilience.close();
    live!.set({ ...live!.value, bulkhead: undefined });
    expect(resilience.states()['job']).toMatchObject({ bulkhead: { limit: 3 } });
  });
});
