import { Metadata } from '@grpc/grpc-js';
import { CallContext, Code, codeFacts, DeadlineExceeded, Cancelled, ServiceError } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { all, call, connected, failureOf, type TransportUnderTest } from './conformance-fixture.js';
import { echo, expand } from './echo-server.js';

const failing = Object.values(Code).filter((code) => code !== Code.OK);

/** Requests and answers, what travels beside them, and errors that the peer gives on purpose. */
export function describeAnswers(subject: TransportUnderTest): void {
  describe('unary calls', () => {
    it('bring the request there and the response back', async () => {
      const { link } = await connected(subject);
      const payload = Uint8Array.of(0, 1, 255);
      expect(await link.unary(echo, { text: 'grüß dich', payload }, call())).toEqual({
        text: 'grüß dich',
        payload: Buffer.from(payload),
      });
    });

    it('carry an empty message', async () => {
      const { link } = await connected(subject);
      const response = await link.unary(echo, { text: '', payload: new Uint8Array() }, call());
      expect(response.text).toBe('');
      expect(response.payload).toHaveLength(0);
    });

    it('carry a megabyte both ways', async () => {
      const { link } = await connected(subject);
      const payload = Buffer.alloc(1_048_576, 'holdfast');
      const response = await link.unary(echo, { text: '', payload }, call());
      expect(payload.equals(response.payload)).toBe(true);
    });

    it('keep many at a time apart', async () => {
      const { link } = await connected(subject);
      const texts = Array.from({ length: 500 }, (_, index) => `call ${index}`);
      const responses = await Promise.all(
        texts.map((text) => link.unary(echo, { text, payload: new Uint8Array() }, call())),
      );
      expect(responses.map(({ text }) => text)).toEqual(texts);
    });

    it('refuse a request over the limit of the server, and go on', async () => {
      const { link } = await connected(subject, { maxMessageBytes: 1_000 });
      const error = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(2_000) }, call()));
      expect(error).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
      expect(await link.unary(echo, { text: 'small', payload: Buffer.alloc(0) }, call())).toMatchObject({
        text: 'small',
      });
    });

    it('refuse a response over the limit of the client, and go on', async () => {
      const { link } = await connected(subject, {}, { maxMessageBytes: 1_000 });
      const error = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(2_000) }, call()));
      expect(error).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
      expect(await link.unary(echo, { text: 'small', payload: Buffer.alloc(0) }, call())).toMatchObject({
        text: 'small',
      });
    });

    it('fail with UNIMPLEMENTED for a method that the peer does not have', async () => {
      const { link } = await connected(subject);
      const unknown = { ...echo, path: '/holdfast.testing.v1.EchoService/Missing' };
      const error = await failureOf(link.unary(unknown, { text: '', payload: new Uint8Array() }, call()));
      expect(error).toMatchObject({ code: Code.UNIMPLEMENTED });
    });
  });

  describe('metadata', () => {
    it('travels with the request and with the header, as text and as bytes', async () => {
      const { link, server } = await connected(subject);
      const bytes = Buffer.from([0, 127, 128, 255]);
      let received: unknown;
      server.does({
        echo(request, metadata) {
          received = [metadata.get('x-text'), metadata.get('x-bytes-bin')];
          return request;
        },
      });
      await link.unary(
        echo,
        { text: '', payload: bytes },
        call({ metadata: { 'x-text': 'a b', 'x-bytes-bin': bytes } }),
      );
      expect(received).toEqual([['a b'], [bytes]]);

      const headers: unknown[] = [];
      server.does({
        echo(request, _, handlerCall) {
          const header = new Metadata();
          header.set('x-back', 'there');
          header.set('x-back-bin', bytes);
          handlerCall.sendMetadata(header);
          return request;
        },
      });
      await link.unary(echo, { text: '', payload: bytes }, call({ onHeader: (header) => headers.push(header) }));
      expect(headers).toEqual([{ 'x-back': 'there', 'x-back-bin': bytes }]);
    });

    it('comes back in the trailers of a stream', async () => {
      const { link, server } = await connected(subject);
      const trailers: unknown[] = [];
      server.does({
        expand(_, __, handlerCall) {
          const trailer = new Metadata();
          trailer.set('x-count', '0');
          handlerCall.end(trailer);
        },
      });
      await all(link.stream(expand, [{ count: 0, size: 0 }], call({ onTrailer: (trailer) => trailers.push(trailer) })));
      expect(trailers).toEqual([{ 'x-count': '0' }]);
    });

    it('opens the context of the call in the server', async () => {
      const { link, server } = await connected(subject);
      let context: CallContext | undefined;
      server.does({
        async echo(request) {
          await new Promise((resolve) => setImmediate(resolve));
          context = CallContext.current();
          return request;
        },
      });
      const metadata = {
        'x-request-id': 'r1',
        traceparent: '00-1',
        tracestate: 'a=b',
        'grpc-previous-rpc-attempts': '2',
      };
      await link.unary(echo, { text: '', payload: Buffer.alloc(0) }, call({ metadata }));
      expect(context).toMatchObject({
        requestId: 'r1',
        trace: { traceparent: '00-1', tracestate: 'a=b' },
        attempt: 2,
        deadline: Infinity,
      });
    });
  });

  describe('errors of the peer', () => {
    it.each(failing)('arrive with their code: %i', async (code) => {
      const { link, server } = await connected(subject);
      const message = `${codeFacts[code].name}: schön 100 % \n“so” 🙂`;
      server.does({ echo: () => Promise.reject(new ServiceError(code, message)) });
      const error = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(0) }, call()));
      expect(error).toBeInstanceOf(ServiceError);
      expect(error).toMatchObject({
        code,
        message,
        reason: codeFacts[code].name,
        retryAfterMs: undefined,
        violations: [],
      });
      expect(error instanceof DeadlineExceeded).toBe(code === Code.DEADLINE_EXCEEDED);
      expect(error instanceof Cancelled).toBe(code === Code.CANCELLED);
    });

    it('arrive with their details', async () => {
      const { link, server } = await connected(subject);
      const violations = [{ field: 'user.name', description: 'darf nicht leer sein' }];
      const details = { reason: 'NAME_EMPTY', retryAfterMs: 1_250.5, violations };
      server.does({ echo: () => Promise.reject(new ServiceError(Code.INVALID_ARGUMENT, 'no', details)) });
      const error = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(0) }, call()));
      expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, message: 'no', ...details });
    });

    it('fit into the trailers however long they are', async () => {
      const { link, server } = await connected(subject);
      const violations = Array.from({ length: 5_000 }, (_, index) => ({
        field: `f${index}`,
        description: 'x'.repeat(50),
      }));
      const long = new ServiceError(Code.INVALID_ARGUMENT, '🙂'.repeat(50_000), { reason: 'LONG', violations });
      server.does({ echo: () => Promise.reject(long) });
      const error = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(0) }, call()));
      expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, reason: 'LONG' });
    });

    it('say nothing of a defect in a handler', async () => {
      const { link, server } = await connected(subject);
      server.does({ echo: () => Promise.reject(new TypeError('password=hunter2')) });
      const error = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(0) }, call()));
      expect(error).toMatchObject({ code: Code.INTERNAL, message: 'Internal error' });
      server.does({
        echo: () => {
          throw new TypeError('password=hunter2');
        },
      });
      const thrown = await failureOf(link.unary(echo, { text: '', payload: Buffer.alloc(0) }, call()));
      expect(thrown).toMatchObject({ code: Code.INTERNAL, message: 'Internal error' });
    });
  });
}
