import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import {
  BulkheadFull,
  CallContext,
  Cancellation,
  Cancelled,
  Cell,
  Code,
  DeadlineExceeded,
  ServiceError,
} from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Resilience, type ResilienceSpec, type RunOptions } from './index.js';

const turn = { rateLimit: { rate: 10, burst: 1, maxWait: '1s' } } as const;
const queue = { bulkhead: { limit: 1, queue: 2 } } as const;
const pause = { idempotent: true, retry: {}, bulkhead: { limit: 1, queue: 2 } } as const;

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
const callIn = (context: CallContext, options: RunOptions<unknown>, fn = work) =>
  CallContext.run(context, () => call(options, fn));
const state = () => resilience.states()['job']!;
const later = () => new ServiceError(Code.UNAVAILABLE, 'later', { retryAfterMs: 100 });

/** Makes `ask` wait behind another call. */
const behindAnother = (options: RunOptions<unknown>) => (ask: () => Promise<unknown>) => {
  void call(options);
  return ask();
};

describe.each([
  {
    awaited: 'its turn',
    options: turn,
    begin: behindAnother(turn),
    over: () => clock.advance(100),
    left: { tokens: 0 },
  },
  {
    awaited: 'a permit',
    options: queue,
    begin: behindAnother(queue),
    over: async () => jobs[0]!.end(),
    left: { bulkhead: { inUse: 1, queued: 0, limit: 1 } },
  },
  {
    awaited: 'another attempt',
    options: pause,
    begin: (ask: () => Promise<unknown>) => {
      const answer = ask();
      jobs[0]!.fail(later());
      return answer;
    },
    over: () => clock.advance(100),
    left: { bulkhead: { inUse: 0, queued: 0, limit: 1 } },
  },
])('a call that waits for $awaited', ({ options, begin, over, left }) => {
  let caller: AbortController;
  const ask = () => callIn(new CallContext({ signal: caller.signal }), options);

  beforeEach(() => {
    caller = new AbortController();
  });

  it('goes on in the asynchronous context of its caller', async () => {
    const tenant = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const noting = () => {
      seen.push(tenant.getStore());
      return work();
    };
    const answer = begin(() => tenant.run('caller', () => call(options, noting)));
    await settle();
    await over();
    await settle();
    jobs[1]!.end('done');
    expect(await answer).toBe('done');
    expect(seen.at(-1)).toBe('caller');
  });

  it('ends when its caller leaves, without work, and gives back what it had', async () => {
    const answer = begin(ask);
    await settle();
    caller.abort(new Cancelled('left'));
    expect(await answer).toEqual(new Cancelled('left'));
    expect(state()).toMatchObject(left);
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
    expect(jobs).toHaveLength(1);
  });

  it('counts as a timeout where its caller’s own deadline ends it', async () => {
    const answer = begin(ask);
    await settle();
    caller.abort(new DeadlineExceeded('the page took too long'));
    expect(await answer).toBe(caller.signal.reason);
    expect(state().calls).toMatchObject({ timeout: 1, cancelled: 0 });
  });

  it('listens to its caller until it has ended, and no longer', async () => {
    const answer = begin(ask);
    await settle();
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1);
    await over();
    await settle();
    jobs[1]!.end('done');
    expect(await answer).toBe('done');
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });
});

describe('the deadline', () => {
  it('lets no work begin at that very moment', async () => {
    const options = { ...turn, timeout: 100 };
    expect(await callIn(new CallContext({ deadline: 0 }), options)).toBeInstanceOf(DeadlineExceeded);
    const [first, second] = [call(options), call(options)];
    jobs[0]!.end('first');
    await clock.advance(100);
    expect(await first).toBe('first');
    expect(await second).toBeInstanceOf(DeadlineExceeded);
    expect(jobs).toHaveLength(1);
    expect(state().calls).toMatchObject({ timeout: 2 });
  });

  it('is kept by a call whose permit comes too late, which hands it on', async () => {
    const [first, second] = [call({ ...queue, timeout: 50 }), call({ ...queue, timeout: 50 })];
    await clock.advance(10);
    const third = call({ ...queue, timeout: 50 });
    await clock.advance(40);
    jobs[0]!.end('first');
    expect(await first).toBe('first');
    expect(await second).toBeInstanceOf(DeadlineExceeded);
    jobs[1]!.end('third');
    expect(await third).toBe('third');
    expect(state()).toMatchObject({ bulkhead: { inUse: 0, queued: 0 }, calls: { ok: 2, timeout: 1 } });
  });
});

describe('the queue', () => {
  it('keeps nobody for longer than it says, also where it has room', async () => {
    const options = { bulkhead: { limit: 1, queue: 2, maxWait: 48 } };
    void call(options);
    const waits = call(options);
    await clock.advance(48);
    expect(await waits).toBeInstanceOf(BulkheadFull);
    expect(state()).toMatchObject({ bulkhead: { inUse: 1, queued: 0 }, calls: { full: 1 } });
  });
});

describe('a caller that has left', () => {
  it('while the work did not listen is not waited for with another attempt', async () => {
    const caller = new AbortController();
    const answer = callIn(new CallContext({ signal: caller.signal }), pause);
    caller.abort();
    jobs[0]!.fail(later());
    expect(await answer).toBeInstanceOf(Cancelled);
    await clock.advance(1_000);
    expect(jobs).toHaveLength(1);
    expect(state().bulkhead!.inUse).toBe(0);
  });

  it('frees permits for others, not for its own calls behind, each of which ends once', async () => {
    const caller = new Cancellation();
    const context = new CallContext({ signal: caller });
    const first = callIn(context, pause);
    jobs[0]!.fail(later());
    await settle();
    const [second, others] = [callIn(context, pause), call(pause)];
    caller.abort('left');
    expect(await first).toBeInstanceOf(Cancelled);
    expect(await second).toBeInstanceOf(Cancelled);
    expect(jobs).toHaveLength(2);
    jobs[1]!.end('for another');
    expect(await others).toBe('for another');
    expect(state().calls).toMatchObject({ started: 3, cancelled: 2, ok: 1 });
  });

  it('is not listened to by work that looks at its signal after its end', async () => {
    const caller = new AbortController();
    const answer = callIn(new CallContext({ signal: caller.signal }), { timeout: '1s' });
    jobs[0]!.end('done');
    expect(await answer).toBe('done');
    expect(jobs[0]!.context!.signal.aborted).toBe(false);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  it('ends its call also where the rate limit it waited under is there no more', async () => {
    const caller = new AbortController();
    void call(turn);
    const answer = callIn(new CallContext({ signal: caller.signal }), turn);
    live.set({ ...live.value, rateLimit: undefined });
    caller.abort();
    expect(await answer).toBeInstanceOf(Cancelled);
    expect(state().calls).toMatchObject({ cancelled: 1 });
  });
});

describe('another attempt after one that took too long', () => {
  it('is made in the asynchronous context of the caller where the work ended first', async () => {
    const tenant = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const stopping = () => {
      seen.push(tenant.getStore());
      const { signal } = CallContext.current()!;
      return new Promise((_, stop) => signal.addEventListener('abort', () => stop(signal.reason)));
    };
    const answer = tenant.run('caller', () =>
      call({ idempotent: true, retry: { attempts: 2 }, attemptTimeout: 100 }, stopping),
    );
    await clock.advance(1_000);
    expect(await answer).toMatchObject({ retriesExhausted: true });
    expect(seen).toEqual(['caller', 'caller']);
  });
});

it.each<[string, RunOptions<unknown>]>([
  ['the rate limit', { rateLimit: { rate: 10, burst: 1 } }],
  ['the bulkhead', { bulkhead: { limit: 1 } }],
  ['the deadline', { bulkhead: { limit: 1, queue: 1 }, timeout: 10 }],
])('a refusal by %s names what was called', async (_policy, options) => {
  void call(options);
  const refused = call(options);
  await clock.advance(12);
  expect(await refused).toMatchObject({ message: expect.stringMatching(/\bjob\b/) });
});
