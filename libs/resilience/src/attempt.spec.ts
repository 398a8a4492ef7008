import { CallContext, Code, DeadlineExceeded, ServiceError } from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Resilience, type RunOptions } from './index.js';

let clock: FakeClock;
let resilience: Resilience;
let jobs: Job[];

beforeEach(() => {
  clock = new FakeClock();
  resilience = new Resilience({ clock, random: () => 0.5 });
  jobs = [];
});

const work = (): unknown => {
  const job = new Job();
  jobs.push(job);
  return job.done;
};
const call = (options: RunOptions<unknown>, fn = work) =>
  resilience.run('job', fn, options).catch((error: unknown) => error);
const counts = () => resilience.states()['job']!.calls;

/** As query builders are: no promise, but with a then. */
const query = (fails: boolean) => ({
  // oxlint-disable-next-line unicorn/no-thenable
  then: (resolve: (rows: unknown) => void, reject: (error: unknown) => void) =>
    fails ? reject(new ServiceError(Code.INTERNAL, 'no such table')) : resolve('rows'),
});

describe('the work', () => {
  it.each([undefined, null, 0, 'answer', {}, [1]])(
    'may answer without a promise, and has then ended at once: %j',
    async (answer) => {
      const promise = call({ timeout: '1s', bulkhead: { limit: 1 } }, () => answer);
      expect(counts()).toMatchObject({ started: 1, ok: 1 });
      expect(await promise).toBe(answer);
    },
  );

  it('may fail without a promise', async () => {
    const bug = new TypeError('a bug');
    const promise = call({ timeout: '1s' }, () => {
      throw bug;
    });
    expect(counts()).toMatchObject({ started: 1, error: 1 });
    expect(await promise).toBe(bug);
  });

  it('may give what cannot be looked at', async () => {
    const bug = new TypeError('no such column');
    const odd = {
      // oxlint-disable-next-line unicorn/no-thenable
      get then() {
        throw bug;
      },
    };
    expect(await call({ timeout: '1s', bulkhead: { limit: 1 } }, () => odd)).toBe(bug);
    expect(counts()).toMatchObject({ started: 1, error: 1 });
    expect(resilience.states()['job']!.bulkhead!.inUse).toBe(0);
  });

  it('may give anything that has a then', async () => {
    expect(await call({ timeout: '1s' }, () => query(false))).toBe('rows');
    expect(await call({ timeout: '1s' }, () => query(true))).toMatchObject({ code: Code.INTERNAL });
    expect(counts()).toMatchObject({ ok: 1, error: 1 });
  });
});

describe('the context of the work', () => {
  const caller = new CallContext({
    requestId: 'r1',
    trace: { traceparent: '00-1-2-01' },
    hashKey: 'alice',
    attempt: 2,
    tried: new Set(['10.0.0.1']),
  });
  const contextUnder = (options: RunOptions<unknown>, outer = caller) => {
    void CallContext.run(outer, () => call(options));
    return jobs.at(-1)!.context;
  };

  it('is the caller’s own where no policy needs another', () => {
    expect(contextUnder({ bulkhead: { limit: 1 }, breaker: {} })).toBe(caller);
  });

  it.each<RunOptions<unknown>>([
    { attemptTimeout: 100 },
    { timeout: 100 },
    { idempotent: true, retry: {} },
    { idempotent: true, hedge: { delay: 10 } },
  ])('says what the caller’s says under %j', (options) => {
    const context = contextUnder(options)!;
    const { requestId, trace, hashKey, attempt, tried } = caller;
    expect(context).not.toBe(caller);
    expect(context).toMatchObject({ requestId, trace, hashKey, attempt });
    expect(context.tried).toBe(tried);
  });

  it.each<[RunOptions<unknown>, number]>([
    [{ attemptTimeout: 100 }, 100],
    [{ timeout: 200 }, 200],
    [{ timeout: 200, attemptTimeout: 100 }, 100],
    [{ idempotent: true, retry: {} }, Infinity],
  ])('has the deadline of the attempt under %j', (options, deadline) => {
    expect(contextUnder(options)!.deadline).toBe(deadline);
  });

  it('keeps no list of addresses where nobody repeats and the caller keeps none', () => {
    expect(contextUnder({ timeout: 100 }, new CallContext())!.tried).toBeUndefined();
    void call({ timeout: 100 });
    expect(jobs.at(-1)!.context!.tried).toBeUndefined();
  });

  it('says whether anyone retries, here or above, so that nothing below does', () => {
    expect(contextUnder({ timeout: 100 })!.retriesOwned).toBe(false);
    expect(contextUnder({ timeout: 100 }, new CallContext({ retriesOwned: true }))!.retriesOwned).toBe(true);
    void call({ timeout: 100 });
    expect(jobs.at(-1)!.context!.retriesOwned).toBe(false);
  });

  it('says so where the retry is here', () => {
    expect(contextUnder({ idempotent: true, retry: {} })!.retriesOwned).toBe(true);
  });

  it('has one signal, and each context made of it hears the same', async () => {
    const context = contextUnder({ attemptTimeout: 100 })!;
    const signals = [context.cancellation!, context.cancellation!, context.with({ requestId: 'r2' }).signal];
    await clock.advance(104);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
    expect(signals[2]!.reason).toBeInstanceOf(DeadlineExceeded);
  });

  it('tells work that looks only after it was given up, and why', async () => {
    const context = contextUnder({ attemptTimeout: 100 })!;
    await clock.advance(104);
    await settle();
    expect(context.signal.aborted).toBe(true);
    expect(context.signal.reason).toBeInstanceOf(DeadlineExceeded);
  });
});
