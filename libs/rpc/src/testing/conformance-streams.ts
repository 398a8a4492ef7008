import { CallContext, Code, ServiceError } from '@holdfast/core';
import { concatMap, from, map, of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { all, call, connected, failureOf, Gate, settled, type TransportUnderTest } from './conformance-fixture.js';
import { chat, collect, expand } from './echo-server.js';

/** More messages than this in flight mean that nobody holds the producer back: buffers and windows take some dozens. */
const inFlightLimit = 150;
const kilobytes16 = 16_384;

/** The three streaming kinds. */
export function describeStreams(subject: TransportUnderTest): void {
  describe('streams', () => {
    it('of requests are collected in order', async () => {
      const { link } = await connected(subject);
      const requests = Array.from({ length: 100 }, (_, index) => ({ text: `${index}`, payload: new Uint8Array() }));
      const [response] = await all(link.stream(collect, requests, call()));
      expect(response).toEqual({ count: 100, texts: requests.map(({ text }) => text) });
    });

    it('may be empty', async () => {
      const { link } = await connected(subject);
      expect(await all(link.stream(collect, [], call()))).toEqual([{ count: 0, texts: [] }]);
      expect(await all(link.stream(expand, [{ count: 0, size: 0 }], call()))).toEqual([]);
      expect(await all(link.stream(chat, [], call()))).toEqual([]);
    });

    it('of responses arrive in order and whole', async () => {
      const { link } = await connected(subject);
      const responses = await all(link.stream(expand, [{ count: 500, size: 10_000 }], call()));
      expect(responses.map(({ index }) => index)).toEqual(Array.from({ length: 500 }, (_, index) => index));
      expect(responses.every(({ payload }) => payload.length === 10_000)).toBe(true);
    });

    it('both ways answer message by message', async () => {
      const { link } = await connected(subject);
      const heard: string[] = [];
      let answered = new Gate();
      async function* producer() {
        for (let index = 0; index < 50; index++) {
          yield { text: `${index}` };
          await answered.opened;
          answered = new Gate();
        }
      }
      for await (const { text } of link.stream(chat, producer(), call())) {
        heard.push(text);
        answered.open();
      }
      expect(heard).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`));
    });

    it('may be handled with Observables, in the context of the call', async () => {
      const { link, server } = await connected(subject);
      const contexts = new Set<string | undefined>();
      const seen = () => contexts.add(CallContext.current()?.requestId);
      server.does({
        collect: (requests) =>
          requests.pipe(
            concatMap(async ({ text }) => (seen(), text)),
            toArray(),
            map((texts) => (seen(), { count: texts.length, texts })),
          ),
        chat: (requests) => requests.pipe(map(({ text }) => (seen(), { text: text.toUpperCase() }))),
        expand: ({ count }) =>
          from(Array.from({ length: count }, (_, index) => ({ index, payload: new Uint8Array() }))),
      });
      const metadata = { 'x-request-id': 'r7' };
      const requests = ['a', 'b'].map((text) => ({ text, payload: new Uint8Array() }));
      expect(await all(link.stream(collect, requests, call({ metadata })))).toEqual([{ count: 2, texts: ['a', 'b'] }]);
      expect(await all(link.stream(chat, requests, call({ metadata })))).toEqual([{ text: 'A' }, { text: 'B' }]);
      expect(await all(link.stream(expand, [{ count: 2, size: 0 }], call({ metadata })))).toHaveLength(2);
      expect([...contexts]).toEqual(['r7']);
    });

    it('of responses wait for a slow consumer', async () => {
      const { link, server } = await connected(subject);
      let produced = 0;
      server.does({
        async *expand({ count, size }) {
          for (let index = 0; index < count; index++) {
            produced++;
            yield { index, payload: new Uint8Array(size) };
          }
        },
      });
      let taken = 0;
      const runsAhead: number[] = [];
      for await (const _ of link.stream(expand, [{ count: 400, size: kilobytes16 }], call())) {
        taken++;
        if (taken % 100 === 1) runsAhead.push((await settled(() => produced)) - taken);
        if (taken === 201) break;
      }
      expect(runsAhead).toHaveLength(3);
      expect(Math.max(...runsAhead)).toBeLessThan(inFlightLimit);
    });

    it('of requests wait for a slow handler', async () => {
      const { link, server } = await connected(subject);
      const gate = new Gate();
      server.does({
        async collect(requests) {
          let count = 0;
          for await (const _ of requests) {
            count++;
            if (count === 1) await gate.opened;
          }
          return { count, texts: [] };
        },
      });
      let produced = 0;
      function* producer() {
        for (; produced < 400; produced++) yield { text: '', payload: new Uint8Array(kilobytes16) };
      }
      const responses = all(link.stream(collect, producer(), call()));
      await expect.poll(() => produced).toBeGreaterThan(0);
      expect(await settled(() => produced)).toBeLessThan(inFlightLimit);
      gate.open();
      expect(await responses).toEqual([{ count: 400, texts: [] }]);
    });

    it('left early are cancelled at the server', async () => {
      const { link, server } = await connected(subject);
      let signal: AbortSignal | undefined;
      let released = false;
      server.does({
        async *expand({ size }) {
          signal = CallContext.current()?.signal;
          try {
            for (let index = 0; ; index++) yield { index, payload: new Uint8Array(size) };
          } finally {
            released = true;
          }
        },
      });
      for await (const { index } of link.stream(expand, [{ count: 0, size: 100 }], call())) if (index === 3) break;
      await expect.poll(() => signal?.aborted).toBe(true);
      await expect.poll(() => released).toBe(true);
    });

    it('end with the error of a producer of requests, which the server sees as a cancellation', async () => {
      const { link, server } = await connected(subject);
      let seen: unknown;
      server.does({
        async collect(requests) {
          try {
            for await (const _ of requests);
          } catch (error) {
            seen = error;
            throw error;
          }
          return { count: 0, texts: [] };
        },
      });
      const broken = new Error('the disk is gone');
      async function* producer() {
        yield { text: '', payload: new Uint8Array() };
        throw broken;
      }
      expect(await failureOf(all(link.stream(collect, producer(), call())))).toBe(broken);
      await expect.poll(() => seen).toMatchObject({ code: Code.CANCELLED });
    });

    it('tell an Observable of requests that was cut short', async () => {
      const { link, server } = await connected(subject);
      let ending: unknown;
      server.does({
        collect: (requests) => {
          requests.subscribe({ error: (error) => (ending = error), complete: () => (ending = 'complete') });
          return new Promise(() => undefined);
        },
      });
      const controller = new AbortController();
      async function* producer() {
        yield { text: '', payload: new Uint8Array() };
        controller.abort();
        await new Promise(() => undefined);
      }
      await failureOf(all(link.stream(collect, producer(), call({ signal: controller.signal }))));
      await expect.poll(() => ending).toMatchObject({ code: Code.CANCELLED });
    });

    it('release the producer of requests when the peer ends the call', async () => {
      const { link, server } = await connected(subject);
      server.does({ collect: () => Promise.reject(new ServiceError(Code.PERMISSION_DENIED, 'no')) });
      let released = false;
      async function* producer() {
        try {
          for (;;) {
            yield { text: '', payload: new Uint8Array() };
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          released = true;
        }
      }
      const error = await failureOf(all(link.stream(collect, producer(), call())));
      expect(error).toMatchObject({ code: Code.PERMISSION_DENIED });
      await expect.poll(() => released).toBe(true);
    });

    it('deliver what came before an error', async () => {
      const { link, server } = await connected(subject);
      server.does({
        async *expand() {
          yield { index: 0, payload: new Uint8Array() };
          yield { index: 1, payload: new Uint8Array() };
          throw new ServiceError(Code.ABORTED, 'half way');
        },
      });
      const indexes: number[] = [];
      const reading = (async () => {
        for await (const { index } of link.stream(expand, [{ count: 0, size: 0 }], call())) indexes.push(index);
      })();
      expect(await failureOf(reading)).toMatchObject({ code: Code.ABORTED, message: 'half way' });
      expect(indexes).toEqual([0, 1]);
      server.does({ expand: () => of({ index: 5, payload: new Uint8Array() }) });
      expect(await all(link.stream(expand, [{ count: 0, size: 0 }], call()))).toMatchObject([{ index: 5 }]);
    });
  });
}
