import { getEventListeners } from 'node:events';
import { CallContext, Cancelled, Code, DeadlineExceeded, systemClock } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { all, call, connected, failureOf, Gate, inMs, type TransportUnderTest } from './conformance-fixture.js';
import { echo, expand, type EchoServer } from './echo-server.js';

const nothing = { text: '', payload: new Uint8Array() };
/** How soon work in the server must learn that nobody waits for it, in milliseconds. */
const noticeMs = 50;

/** Lets echo hang, and tells what became of its call. */
function hang(server: EchoServer): { arrived: Promise<void>; readonly abortedAt: number; readonly reason: unknown } {
  const arrived = new Gate();
  const seen = { arrived: arrived.opened, abortedAt: NaN, reason: undefined as unknown };
  server.does({
    echo() {
      const signal = CallContext.current()?.signal;
      signal?.addEventListener('abort', () => {
        seen.abortedAt = systemClock.now();
        seen.reason = signal.reason;
      });
      arrived.open();
      return new Promise(() => undefined);
    },
  });
  return seen;
}

/** Deadlines and cancellation. */
export function describeEndings(subject: TransportUnderTest): void {
  describe('deadlines', () => {
    it('arrive at the server as the time that is left', async () => {
      const { link, server } = await connected(subject);
      let left = NaN;
      server.does({
        echo(request) {
          left = CallContext.current()?.remaining(systemClock) ?? NaN;
          return request;
        },
      });
      await link.unary(echo, nothing, call({ deadline: inMs(5_000) }));
      expect(left).toBeGreaterThan(4_000);
      expect(left).toBeLessThanOrEqual(5_001);
    });

    it('end the call in time on both sides', { retry: 2 }, async () => {
      const { link, server } = await connected(subject);
      await link.unary(echo, nothing, call());
      const seen = hang(server);
      const start = systemClock.now();
      const error = await failureOf(link.unary(echo, nothing, call({ deadline: start + 100 })));
      const took = systemClock.now() - start;
      expect(error).toBeInstanceOf(DeadlineExceeded);
      expect(took).toBeGreaterThan(95);
      expect(took).toBeLessThan(200);
      await expect.poll(() => seen.abortedAt).toBeLessThan(start + 100 + noticeMs);
    });

    it('that have passed already send nothing', async () => {
      const { link, server } = await connected(subject);
      let calls = 0;
      server.does({ echo: (request) => (calls++, request) });
      await link.unary(echo, nothing, call());
      expect(await failureOf(link.unary(echo, nothing, call({ deadline: inMs(-1) })))).toBeInstanceOf(DeadlineExceeded);
      const stream = link.stream(expand, [{ count: 1, size: 1 }], call({ deadline: inMs(-1) }));
      expect(await failureOf(all(stream))).toBeInstanceOf(DeadlineExceeded);
      await link.unary(echo, nothing, call());
      expect(calls).toBe(2);
    });

    it('end a stream between two responses', async () => {
      const { link, server } = await connected(subject);
      server.does({
        async *expand() {
          yield { index: 0, payload: new Uint8Array() };
          await new Promise(() => undefined);
        },
      });
      const stream = link.stream(expand, [{ count: 1, size: 1 }], call({ deadline: inMs(150) }));
      expect(await failureOf(all(stream))).toBeInstanceOf(DeadlineExceeded);
    });
  });

  describe('cancellation', () => {
    it('before the start sends nothing', async () => {
      const { link, server } = await connected(subject);
      let calls = 0;
      server.does({ echo: (request) => (calls++, request) });
      const signal = AbortSignal.abort('gone');
      expect(await failureOf(link.unary(echo, nothing, call({ signal })))).toBeInstanceOf(Cancelled);
      expect(await failureOf(all(link.stream(expand, [], call({ signal }))))).toBeInstanceOf(Cancelled);
      await link.unary(echo, nothing, call());
      expect(calls).toBe(1);
    });

    it('ends the call at once and tells the server soon', { retry: 2 }, async () => {
      const { link, server } = await connected(subject);
      const seen = hang(server);
      const controller = new AbortController();
      const answer = failureOf(link.unary(echo, nothing, call({ signal: controller.signal })));
      await seen.arrived;
      const at = systemClock.now();
      controller.abort(new Error('the user left'));
      expect(await answer).toMatchObject({ code: Code.CANCELLED, cause: { message: 'the user left' } });
      expect(await answer).toBeInstanceOf(Cancelled);
      await expect.poll(() => seen.abortedAt).toBeLessThan(at + noticeMs);
      expect(seen.reason).toBeInstanceOf(Cancelled);
    });

    it('gives the reason itself where it is an error of ours', async () => {
      const { link, server } = await connected(subject);
      const seen = hang(server);
      const controller = new AbortController();
      const answer = failureOf(link.unary(echo, nothing, call({ signal: controller.signal })));
      await seen.arrived;
      const reason = new DeadlineExceeded('the attempt took too long');
      controller.abort(reason);
      expect(await answer).toBe(reason);
    });

    it('ends a stream after its first response', async () => {
      const { link, server } = await connected(subject);
      let signal: AbortSignal | undefined;
      server.does({
        async *expand() {
          signal = CallContext.current()?.signal;
          yield { index: 0, payload: new Uint8Array() };
          await new Promise(() => undefined);
        },
      });
      const controller = new AbortController();
      const reading = (async () => {
        const stream = link.stream(expand, [{ count: 1, size: 1 }], call({ signal: controller.signal }));
        for await (const _ of stream) controller.abort();
      })();
      expect(await failureOf(reading)).toBeInstanceOf(Cancelled);
      await expect.poll(() => signal?.aborted).toBe(true);
    });

    it('is not what the server sees of a call that was answered', async () => {
      const { link, server } = await connected(subject);
      let signal: AbortSignal | undefined;
      server.does({
        echo(request) {
          signal = CallContext.current()?.signal;
          return request;
        },
      });
      for (let round = 0; round < 20; round++) {
        await link.unary(echo, nothing, call({ deadline: inMs(1_000) }));
        expect(signal?.aborted).toBe(false);
      }
    });

    it('shows in a signal that is asked for too late', async () => {
      const { link, server } = await connected(subject);
      const arrived = new Gate();
      const asked = new Gate();
      let aborted: boolean | undefined;
      server.does({
        async echo() {
          const context = CallContext.current();
          arrived.open();
          await asked.opened;
          aborted = context?.signal.aborted;
        },
        async *expand() {
          asked.open();
          yield { index: 0, payload: new Uint8Array() };
        },
      });
      const controller = new AbortController();
      const answer = failureOf(link.unary(echo, nothing, call({ signal: controller.signal })));
      await arrived.opened;
      controller.abort();
      await answer;
      // A second call over the same connection arrives after the first one's cancellation.
      await all(link.stream(expand, [{ count: 0, size: 0 }], call()));
      await expect.poll(() => aborted).toBe(true);
    });

    it('leaves no listener on a signal that many calls share', async () => {
      const { link } = await connected(subject);
      const { signal } = new AbortController();
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 100 }, () => link.unary(echo, nothing, call({ signal }))));
      }
      await all(link.stream(expand, [{ count: 3, size: 1 }], call({ signal })));
      for await (const _ of link.stream(expand, [{ count: 3, size: 1 }], call({ signal }))) break;
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });
}
