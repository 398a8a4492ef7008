import { getEventListeners } from 'node:events';
import { CallContext, Cancelled, Code, DeadlineExceeded, ServiceError } from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Resilience, type RunOptions } from './index.js';

const down = () => new ServiceError(Code.UNAVAILABLE, 'down');

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
const callIn = (context: CallContext, options: RunOptions<unknown>) => CallContext.run(context, () => call(options));
const counts = () => {
  const { calls } = resilience.states()['job']!;
  return Object.fromEntries(Object.entries(calls).filter(([, count]) => count > 0));
};

describe('a shared call', () => {
  it('runs in a context that names its first caller’s request, with neither its deadline nor its signal', () => {
    const { signal } = new AbortController();
    const named = { requestId: 'r1', trace: { traceparent: '00-1-2-01' }, hashKey: 'alice' };
    void callIn(new CallContext({ ...named, deadline: 50, signal }), { coalesce: true });
    expect(jobs[0]!.context).toMatchObject({ ...named, deadline: Infinity, cancellable: false });
  });

  it.each([
    ['retries', undefined, 2],
    ['leaves it to a layer above its first caller that retries', new CallContext({ retriesOwned: true }), 1],
  ])('%s', async (_rule, context, attempts) => {
    const options = { coalesce: true, idempotent: true, retry: {} };
    void (context ? callIn(context, options) : call(options));
    jobs[0]!.fail(down());
    await clock.advance(1_000);
    expect(jobs).toHaveLength(attempts);
  });

  it('fails for all, each with its own fallback', async () => {
    const options = { coalesce: true, fallback: { value: 'default' } };
    const answers = [call(options), call(options)];
    jobs[0]!.fail(down());
    expect(await Promise.all(answers)).toEqual(['default', 'default']);
    expect(counts()).toEqual({ started: 2, fallback: 2 });
  });

  it('that nobody waits for any more is told so, and answers nobody', async () => {
    const caller = new AbortController();
    const options = { cache: { ttl: '1s' } } as const;
    const left = callIn(new CallContext({ signal: caller.signal }), options);
    caller.abort();
    expect(await left).toBeInstanceOf(Cancelled);
    const next = call(options);
    expect(jobs).toHaveLength(2);
    jobs[0]!.end('too late');
    await settle();
    jobs[1]!.end('in time');
    expect(await next).toBe('in time');
    expect(await call(options)).toBe('in time');
    expect(counts()).toEqual({ started: 3, cancelled: 1, ok: 2 });
  });

  it('is one for each key', async () => {
    let key = 'a';
    const options = { coalesce: true, key: () => key };
    const [first, second] = [call(options), call(options)];
    key = 'b';
    const other = call(options);
    expect(jobs).toHaveLength(2);
    jobs[1]!.end('b');
    jobs[0]!.end('a');
    expect(await Promise.all([first, second, other])).toEqual(['a', 'a', 'b']);
  });

  it('is none where the key cannot be made, which its caller is told', async () => {
    const bug = new TypeError('no id');
    const key = () => {
      throw bug;
    };
    expect(await call({ coalesce: true, key })).toBe(bug);
    expect(jobs).toEqual([]);
    expect(counts()).toEqual({ started: 1, error: 1 });
  });
});

describe('a caller of a shared call', () => {
  it('waits until its own deadline, at most, and leaves the others to theirs', async () => {
    const hasty = callIn(new CallContext({ deadline: 100 }), { coalesce: true });
    const patient = call({ coalesce: true });
    await clock.advance(100);
    expect(await hasty).toBeInstanceOf(DeadlineExceeded);
    jobs[0]!.end('shared');
    expect(await patient).toBe('shared');
    expect(counts()).toEqual({ started: 2, timeout: 1, ok: 1 });
  });

  it.each([
    ['its deadline has come', () => new CallContext({ deadline: 0 }), DeadlineExceeded],
    ['it has left', () => new CallContext({ signal: AbortSignal.abort() }), Cancelled],
    [
      'it left by its deadline',
      () => new CallContext({ signal: AbortSignal.abort(new DeadlineExceeded('x')) }),
      DeadlineExceeded,
    ],
  ])('begins nothing where %s', async (_when, context, error) => {
    expect(await callIn(context(), { coalesce: true })).toBeInstanceOf(error);
    expect(jobs).toEqual([]);
    expect(counts()).toEqual({ started: 1, [error === Cancelled ? 'cancelled' : 'timeout']: 1 });
  });

  it('listens to its signal and the clock no longer than it waits', async () => {
    const { signal } = new AbortController();
    const answer = callIn(new CallContext({ signal, deadline: 100 }), { coalesce: true });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    jobs[0]!.end('shared');
    expect(await answer).toBe('shared');
    await clock.advance(200);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(counts()).toEqual({ started: 1, ok: 1 });
  });
});
