import { CallContext, Cancellation, Cancelled, Code, NoInstances, RateLimited, ServiceError } from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryIdempotencyStore } from './idempotency-store.js';
import { SingleRequest } from './single-request.js';

const TTL_MS = 60_000;

let clock: FakeClock;
let store: MemoryIdempotencyStore;
let worked: number;

beforeEach(() => {
  clock = new FakeClock();
  store = new MemoryIdempotencyStore(clock);
  worked = 0;
});

class Reply {
  readonly headers = new Map<string, unknown>();
  header(name: string, value: unknown) {
    this.headers.set(name, value);
    return this as never;
  }
  getHeader(name: string) {
    return this.headers.get(name) as string | undefined;
  }
}

const ask = (work: () => Promise<unknown>, { key = 'k', asksFor = 'x', reply = new Reply() } = {}) =>
  new SingleRequest(store, TTL_MS, key, asksFor).answer(reply, () => {
    worked++;
    return work();
  });

describe('a request that is worked on once', () => {
  it('gives its repetitions the first answer, its location included, and says so', async () => {
    const first = new Reply();
    first.header('location', '/users/dora');
    expect(await ask(() => Promise.resolve({ name: 'dora' }), { reply: first })).toEqual({ name: 'dora' });
    expect(first.getHeader('idempotency-replayed')).toBeUndefined();
    const again = new Reply();
    expect(await ask(() => Promise.resolve('never'), { reply: again })).toEqual({ name: 'dora' });
    expect(again.getHeader('location')).toBe('/users/dora');
    expect(again.getHeader('idempotency-replayed')).toBe('true');
    expect(worked).toBe(1);
  });

  it('lets no second one begin while it is under way', async () => {
    const job = new Job();
    const first = ask(() => job.done);
    await expect(ask(() => Promise.resolve())).rejects.toMatchObject({
      code: Code.ABORTED,
      reason: 'IDEMPOTENCY_KEY_IN_USE',
      retryAfterMs: 1_000,
    });
    job.end('done');
    expect(await first).toBe('done');
    expect(await ask(() => Promise.resolve())).toBe('done');
    expect(worked).toBe(1);
  });

  it('refuses its key for another request', async () => {
    await ask(() => Promise.resolve('x'));
    await expect(ask(() => Promise.resolve('y'), { asksFor: 'y' })).rejects.toMatchObject({ status: 422 });
    expect(worked).toBe(1);
  });

  it('goes on when its client leaves, with its id and trace, and answers it later', async () => {
    const job = new Job();
    const client = new Cancellation();
    const context = new CallContext({ deadline: 500, signal: client, requestId: 'r-1', identity: 'alice' });
    let seen: CallContext | undefined;
    const first = CallContext.run(context, () =>
      ask(() => {
        seen = CallContext.current();
        return job.done;
      }),
    );
    const gone = expect(first).rejects.toBeInstanceOf(Cancelled);
    await settle();
    client.abort(new Cancelled('The client has gone away.'));
    await gone;
    expect(seen).toMatchObject({ deadline: Infinity, requestId: 'r-1', identity: 'alice', cancellable: false });
    job.end({ name: 'dora' });
    await settle();
    expect(await ask(() => Promise.resolve('never'))).toEqual({ name: 'dora' });
    expect(worked).toBe(1);
  });

  it.each([
    [new ServiceError(Code.ALREADY_EXISTS, 'There is one.')],
    [new ServiceError(Code.UNAVAILABLE, 'The connection was lost.', { reason: 'LINK_FAILURE' })],
    [new ServiceError(Code.DEADLINE_EXCEEDED, 'Nobody knows.')],
  ])('keeps a failure after which the work may have been done: %s', async (failure) => {
    await expect(ask(() => Promise.reject(failure))).rejects.toBe(failure);
    await expect(ask(() => Promise.resolve())).rejects.toMatchObject({
      code: failure.code,
      message: failure.message,
      reason: failure.reason,
    });
    expect(worked).toBe(1);
  });

  it('tells nothing of a bug, the second time either', async () => {
    await expect(ask(() => Promise.reject(new TypeError('secret')))).rejects.toThrow('secret');
    await expect(ask(() => Promise.resolve())).rejects.toMatchObject({
      code: Code.INTERNAL,
      message: 'The request could not be served.',
    });
  });

  it.each([
    [new ServiceError(Code.INVALID_ARGUMENT, 'No.')],
    [new ServiceError(Code.PERMISSION_DENIED, 'No.')],
    [new RateLimited('Later.')],
    [new NoInstances('user-service')],
  ])('lets another try where nothing was done: %s', async (failure) => {
    await expect(ask(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(await ask(() => Promise.resolve('done'))).toBe('done');
    expect(worked).toBe(2);
  });

  it('says that an answer was too long to keep, and does not do the work again', async () => {
    const long = 'x'.repeat(70_000);
    expect(await ask(() => Promise.resolve(long))).toBe(long);
    await expect(ask(() => Promise.resolve())).rejects.toMatchObject({ reason: 'ANSWER_NOT_KEPT' });
    expect(worked).toBe(1);
  });
});

const answer = (body: string) => ({ kind: 'answer', body }) as const;

describe('MemoryIdempotencyStore', () => {
  it('forgets an outcome when its time is over', async () => {
    await ask(() => Promise.resolve(1));
    await clock.advance(TTL_MS - 1);
    expect(await ask(() => Promise.resolve(2))).toBe(1);
    await clock.advance(1);
    expect(await ask(() => Promise.resolve(2))).toBe(2);
  });

  it('forgets the oldest where there are too many, or too long ones', async () => {
    const few = new MemoryIdempotencyStore(clock, { maxEntries: 2, maxLength: 10 });
    const known = async (key: string) => {
      const { state } = await few.claim(key, 'f');
      if (state === 'yours') await few.release(key);
      return state === 'done';
    };
    for (const key of ['a', 'b', 'c']) await few.complete(key, 'f', answer('xx'), TTL_MS);
    expect([await known('a'), await known('b'), await known('c')]).toEqual([false, true, true]);
    await few.complete('d', 'f', answer('x'.repeat(9)), TTL_MS);
    expect([await known('b'), await known('c'), await known('d')]).toEqual([false, false, true]);
  });
});
