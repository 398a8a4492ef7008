import { Code, ServiceError } from '@holdfast/core';
import { FakeClock, Job, settle } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { serverSentEvents } from './server-sent-events.js';

// oxlint-disable-next-line require-yield -- it fails before the first one
async function* failing() {
  throw new ServiceError(Code.NOT_FOUND, 'Gone.');
}

describe('server-sent events', () => {
  it('show that they live while there is nothing to send, and no more', async () => {
    const clock = new FakeClock();
    const job = new Job();
    let left = false;
    async function* users() {
      try {
        yield { name: 'alice' };
        yield await job.done;
      } finally {
        left = true;
      }
    }
    const events = serverSentEvents('user', users(), clock);
    expect((await events.next()).value).toBe('event: user\ndata: {"name":"alice"}\n\n');
    for (let beat = 0; beat < 3; beat++) {
      const next = events.next();
      await clock.advance(14_999);
      let told = false;
      void next.then(() => (told = true));
      await settle();
      expect(told).toBe(false);
      await clock.advance(1);
      expect((await next).value).toBe(':\n\n');
    }
    const next = events.next();
    job.end({ name: 'bob' });
    expect((await next).value).toBe('event: user\ndata: {"name":"bob"}\n\n');
    expect((await events.next()).value).toBe('event: end\ndata: {}\n\n');
    expect((await events.next()).done).toBe(true);
    expect(left).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('end with what went wrong', async () => {
    const events = serverSentEvents('user', failing(), new FakeClock());
    expect((await events.next()).value).toMatch(/^event: error\ndata: \{.*"detail":"Gone\."/);
    expect((await events.next()).done).toBe(true);
  });

  it('leave their source when nobody wants more', async () => {
    const clock = new FakeClock();
    let left = false;
    async function* users() {
      try {
        for (;;) yield 1;
      } finally {
        left = true;
      }
    }
    const events = serverSentEvents('user', users(), clock);
    await events.next();
    await events.return();
    expect(left).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
