import { CallContext, Code, ServiceError, type TraceContext } from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Resilience, type RunOptions } from './index.js';

const down = () => new ServiceError(Code.UNAVAILABLE, 'down');
const trace = (id: string): TraceContext => ({ traceparent: id });

let clock: FakeClock;
let resilience: Resilience;
let told: string[];
let jobs: Job[];

const observing = (span?: TraceContext) =>
  new Resilience({
    clock,
    random: () => 0.5,
    observe: (name) => ({
      begin: (parent) => {
        told.push(`begin ${name} under ${parent?.traceparent}`);
        return span ?? parent;
      },
      end: (outcome, of) => told.push(`end ${outcome} of ${of?.traceparent}`),
      decided: (decision, of, facts) =>
        told.push([decision, 'of', of?.traceparent, ...(facts ? [JSON.stringify(facts)] : [])].join(' ')),
    }),
  });

beforeEach(() => {
  clock = new FakeClock();
  told = [];
  jobs = [];
  resilience = observing(trace('span'));
});

const work = (): unknown => {
  const job = new Job();
  jobs.push(job);
  return job.done;
};
const run = (options: RunOptions<unknown>, fn = work) =>
  CallContext.run(new CallContext({ trace: trace('caller') }), () =>
    resilience.run('job', fn, options).catch((error: unknown) => error),
  );
const fail = async (index: number) => {
  jobs[index]!.fail(down());
  await settle();
};

describe('what observes the policies of a name', () => {
  it('is told of the begin and the end of a call, whose work has the span that it gave', async () => {
    const answer = run({});
    jobs[0]!.end('x');
    expect(await answer).toBe('x');
    expect(told).toEqual(['begin job under caller', 'end ok of span']);
    expect(jobs[0]!.context?.trace).toEqual(trace('span'));
  });

  it('makes no context for the work where it gives no span', async () => {
    resilience = observing();
    void run({});
    expect(jobs[0]!.context?.constructor).toBe(CallContext);
    expect(jobs[0]!.context?.trace).toEqual(trace('caller'));
  });

  it('is told of a retry, an attempt that is given up, and a fallback', async () => {
    const retry = { attempts: 3, initialDelay: 10, maxDelay: 10 };
    const answer = run({ idempotent: true, retry, attemptTimeout: 100, fallback: { value: 'else' } });
    await fail(0);
    await clock.advance(20);
    await clock.advance(110);
    await clock.advance(20);
    await fail(2);
    expect(await answer).toBe('else');
    expect(told).toEqual([
      'begin job under caller',
      'retried of span {"attempt":1,"after_ms":5}',
      'attempt_timed_out of span',
      expect.stringMatching(/^retried of span \{"attempt":2/),
      'fell_back of span {"instead_of":"error"}',
      'end fallback of span',
    ]);
  });

  it('is told of what refuses a call', async () => {
    const options = { bulkhead: { limit: 1 } };
    void run(options);
    await run(options);
    expect(told.slice(1)).toEqual(['begin job under caller', 'refused of span {"by":"full"}', 'end full of span']);
  });

  it('is told of a hedge, and of a budget that is spent', async () => {
    const options = { idempotent: true, hedge: { delay: 10 } };
    const calls = Array.from({ length: 200 }, () => run(options));
    await clock.advance(20);
    expect(told.filter((line) => line.startsWith('hedged')).length).toBeGreaterThan(100);
    for (const job of jobs) job.end();
    await Promise.all(calls);
    told = [];
    resilience = observing(trace('span'));
    const retry = { idempotent: true, retry: { attempts: 10, initialDelay: 0 } };
    for (let n = 0; n < 200; n++) void run(retry, () => Promise.reject(down()));
    await clock.advance(20);
    await clock.advance(20);
    expect(told.filter((line) => line.startsWith('budget_spent')).length).toBeGreaterThan(0);
    const ends = told.filter((line) => line.startsWith('end'));
    expect(ends.every((line) => line === 'end error of span')).toBe(true);
  });

  it('is told when the breaker opens, tries again and closes', async () => {
    const options = { breaker: { volumeThreshold: 1, openMs: 1_000, probes: 1 } };
    await Promise.all([run(options), fail(0)]);
    await run(options);
    await clock.advance(1_500);
    const answer = run(options);
    jobs.at(-1)!.end();
    await answer;
    // The breaker is everybody's: what turned it runs in the context of the caller.
    expect(told.filter((line) => /^(opened|probing|closed|refused)/.test(line))).toEqual([
      'opened of caller',
      'refused of span {"by":"open"}',
      'probing of caller',
      'closed of caller',
    ]);
  });

  it('is told of an answer that was kept, and of each caller of a run that they share', async () => {
    const options = { cache: { ttl: 1_000 }, key: () => 'same' } as RunOptions<unknown>;
    const calls = [run(options), run(options)];
    jobs[0]!.end('x');
    await Promise.all([...calls, settle()]);
    await run(options);
    expect(jobs).toHaveLength(1);
    expect(told).toEqual([
      'begin job under caller',
      'begin job under caller',
      'end ok of span',
      'end ok of span',
      'begin job under caller',
      'cached of span',
      'end ok of span',
    ]);
  });
});
