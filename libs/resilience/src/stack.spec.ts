import { CallContext, Cell, Code, DeadlineExceeded, seededRandom, ServiceError } from '@holdfast/core';
import { FakeClock, runs, settle } from '@holdfast/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcomes, Resilience, type ResilienceSpec, type RunOptions } from './index.js';

const LIMIT = 3;
const everything: RunOptions<unknown> = {
  idempotent: true,
  timeout: 400,
  attemptTimeout: 150,
  rateLimit: { rate: 100, burst: 4, maxWait: 100 },
  bulkhead: { limit: LIMIT, queue: 3, maxWait: 120 },
  breaker: { volumeThreshold: 5, openMs: 200 },
};
const variants: RunOptions<unknown>[] = [
  { ...everything, retry: { attempts: 3, initialDelay: 40 } },
  { ...everything, hedge: { delay: 60 } },
  { ...everything, retry: { attempts: 2 }, fallback: { value: 'default' } },
  { ...everything, retry: { attempts: 2 }, cache: { ttl: 50, staleIfError: 200 } },
];

const codes = [Code.UNAVAILABLE, Code.INTERNAL, Code.NOT_FOUND, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED];
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('call' as const), deadline: fc.option(fc.integer({ min: 1, max: 500 })) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      job: fc.nat(),
      code: fc.option(fc.constantFrom(...codes)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), caller: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('limit' as const), limit: fc.integer({ min: 1, max: LIMIT }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Plays a schedule, checks what must hold at every moment, and gives back everything that could be seen. */
async function play(options: RunOptions<unknown>, steps: readonly Step[], seed: number) {
  const clock = new FakeClock();
  let live: Cell<ResilienceSpec> | undefined;
  const resilience = new Resilience({
    clock,
    random: seededRandom(seed),
    specOf: (_name, defaults) => (live = new Cell(defaults)),
  });
  const trace: string[] = [];
  const jobs: { end(value: unknown): void; fail(error: unknown): void }[] = [];
  const callers: AbortController[] = [];
  let running = 0;
  let settled = 0;
  const work = () => {
    const context = CallContext.current()!;
    expect(context.deadline, 'an attempt began past its deadline').toBeGreaterThan(clock.now());
    trace.push(`${clock.now()} begins attempt ${context.attempt}`);
    expect(++running, 'work at the same time').toBeLessThanOrEqual(LIMIT);
    return new Promise((end, fail) => jobs.push({ end, fail })).finally(() => running--);
  };
  const call = (deadline: number | null) => {
    const caller = new AbortController();
    callers.push(caller);
    const due = deadline === null ? Infinity : clock.now() + deadline;
    const note = (how: string) => {
      settled++;
      expect(clock.now(), 'a call outlasted its deadline').toBeLessThanOrEqual(due + 4);
      trace.push(`${clock.now()} ${how}`);
    };
    CallContext.run(new CallContext({ deadline: due, signal: caller.signal }), () =>
      resilience.run('stack', work, options),
    ).then(
      (value) => note(String(value)),
      (error: Error) => note(`${error.name} ${error.message}`),
    );
  };
  for (const now of steps) {
    if (now.do === 'call') call(now.deadline);
    else if (now.do === 'advance') await clock.advance(now.ms);
    else if (now.do === 'cancel') callers[now.caller % callers.length]?.abort();
    else if (now.do === 'limit' && live)
      live.set({ ...live.value, bulkhead: { ...live.value.bulkhead!, limit: now.limit } });
    else if (now.do === 'end') {
      const [job] = jobs.splice(now.job % (jobs.length || 1), 1);
      if (now.code === null) job?.end('answer');
      else
        job?.fail(
          now.code === Code.DEADLINE_EXCEEDED ? new DeadlineExceeded('far') : new ServiceError(now.code, 'far'),
        );
    }
    await settle();
  }
  await clock.advance(2_000);
  while (jobs.length > 0) {
    for (const job of jobs.splice(0)) job.end('late');
    await clock.advance(1_000);
  }
  const state = resilience.states()['stack'];
  return { trace, state, settled, called: callers.length, pending: clock.pending };
}

describe('the whole stack, under any schedule', () => {
  it.each(variants.map((options, n) => [n, options] as const))(
    'ends every call in exactly one class, keeps its bounds, and leaves nothing behind (variant %d)',
    async (_n, options) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(), async (steps, seed) => {
          const { state, settled, called, pending } = await play(options, steps, seed);
          expect(settled).toBe(called);
          expect(pending).toBe(0);
          if (!state) return;
          const sum = outcomes.reduce((total, outcome) => total + state.calls[outcome], 0);
          expect(state.calls.started).toBe(called);
          expect(sum).toBe(called);
          expect(state.bulkhead).toMatchObject({ inUse: 0, queued: 0 });
        }),
        { numRuns: runs(60) },
      );
    },
  );

  it('runs the same from the same seed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.nat(),
        fc.constantFrom(...variants),
        async (steps, seed, options) => {
          expect(await play(options, steps, seed)).toEqual(await play(options, steps, seed));
        },
      ),
      { numRuns: runs(30) },
    );
  });
});
