import { Metadata } from '@grpc/grpc-js';
import { Cancelled, Code, DeadlineExceeded, ServiceError } from '@holdfast/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from './certificates.js';
import { all, call, failureOf, Gate, inMs, linked, served, type TransportUnderTest } from './conformance-fixture.js';
import { chat, collect, echo, expand, type EchoServer } from './echo-server.js';
import type { Link } from '../transport.js';
import { Wire } from './wire.js';

/** A pair, and what has travelled between the two of them. */
interface Peers {
  readonly server: EchoServer;
  readonly link: Link;
  /** In bytes, as the caller sees it. */
  readonly traffic: { sent: number; received: number };
  /** Calls go packed, where the caller can; `packsAnswers` says whether the server can. */
  readonly packed: Link;
  readonly packsAnswers: boolean;
}

const nothing = { text: '', payload: new Uint8Array() };
const requestSizes = [27_182, 8, 1_828, 45_904];
const responseSizes = [31_415, 9, 2_653, 58_979];
const whitespace = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
/** What 300 KB of zeros, packed, and all around it fit into, in bytes. */
const packedBytes = 20_000;

/** Lets a test ask for the status that a request names. */
function failWith(code: Code, message: string) {
  const error = new ServiceError(code, message);
  return { echo: () => Promise.reject(error), chat: () => Promise.reject(error) };
}

async function expectStatus({ link, server }: Peers, code: Code, message: string): Promise<void> {
  server.does(failWith(code, message));
  expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject({ code, message });
  expect(await failureOf(all(link.stream(chat, [{ text: 'now' }], call())))).toMatchObject({ code, message });
}

/** Requests that never come. */
const never: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
};

/** gRPC's interop cases by their names, with their sizes and words (grpc/grpc `doc/interop-test-descriptions.md`). */
const cases: Record<string, (peers: Peers) => Promise<void>> = {
  async empty_unary({ link }) {
    expect(await link.unary(echo, nothing, call())).toMatchObject({ text: '' });
  },
  async large_unary({ link, server }) {
    let size = 0;
    server.does({ echo: ({ payload }) => ((size = payload.length), { text: '', payload: new Uint8Array(314_159) }) });
    const { payload } = await link.unary(echo, { text: '', payload: new Uint8Array(271_828) }, call());
    expect([size, payload.length]).toEqual([271_828, 314_159]);
  },
  async client_compressed_unary({ packed, server, traffic }) {
    let size = 0;
    server.does({ echo: ({ payload }) => ((size = payload.length), nothing) });
    await packed.unary(echo, nothing, call());
    const before = traffic.sent;
    await packed.unary(echo, { text: '', payload: new Uint8Array(271_828) }, call());
    expect(size).toBe(271_828);
    expect(traffic.sent - before).toBeLessThan(packedBytes);
  },
  async server_compressed_unary({ packed, packsAnswers, server, traffic }) {
    server.does({ echo: () => ({ text: '', payload: new Uint8Array(314_159) }) });
    const { payload } = await packed.unary(echo, nothing, call());
    expect(payload.length).toBe(314_159);
    if (packsAnswers) expect(traffic.received).toBeLessThan(packedBytes);
  },
  async client_streaming({ link, server }) {
    server.does({ collect: sumOf });
    const requests = requestSizes.map((size) => ({ text: '', payload: new Uint8Array(size) }));
    expect(await all(link.stream(collect, requests, call()))).toMatchObject([{ count: 74_922 }]);
  },
  async client_compressed_streaming({ packed, server, traffic }) {
    server.does({ collect: sumOf });
    await packed.unary(echo, nothing, call());
    const before = traffic.sent;
    const requests = requestSizes.map((size) => ({ text: '', payload: new Uint8Array(size) }));
    expect(await all(packed.stream(collect, requests, call()))).toMatchObject([{ count: 74_922 }]);
    expect(traffic.sent - before).toBeLessThan(packedBytes);
  },
  async server_streaming({ link, server }) {
    server.does({ expand: inSizes });
    const responses = await all(link.stream(expand, [{ count: 4, size: 0 }], call()));
    expect(responses.map(({ payload }) => payload.length)).toEqual(responseSizes);
  },
  async server_compressed_streaming({ packed, packsAnswers, server, traffic }) {
    server.does({ expand: inSizes });
    const responses = await all(packed.stream(expand, [{ count: 4, size: 0 }], call()));
    expect(responses.map(({ payload }) => payload.length)).toEqual(responseSizes);
    if (packsAnswers) expect(traffic.received).toBeLessThan(packedBytes);
  },
  async ping_pong({ link, server }) {
    server.does({
      async *chat(requests) {
        for await (const { text } of requests)
          yield { text: 'x'.repeat(responseSizes[requestSizes.indexOf(text.length)]!) };
      },
    });
    let answered = new Gate();
    async function* pings() {
      for (const size of requestSizes) {
        yield { text: 'x'.repeat(size) };
        await answered.opened;
        answered = new Gate();
      }
    }
    const sizes: number[] = [];
    for await (const { text } of link.stream(chat, pings(), call())) {
      sizes.push(text.length);
      answered.open();
    }
    expect(sizes).toEqual(responseSizes);
  },
  async empty_stream({ link }) {
    expect(await all(link.stream(chat, [], call()))).toEqual([]);
  },
  async custom_metadata({ link, server }) {
    const [initial, trailing] = ['x-grpc-test-echo-initial', 'x-grpc-test-echo-trailing-bin'];
    const sent = { [initial]: 'test_initial_metadata_value', [trailing]: Buffer.from([0xab, 0xab, 0xab]) };
    server.does({
      expand(_, metadata, handlerCall) {
        const [header, trailer] = [new Metadata(), new Metadata()];
        header.set(initial, metadata.get(initial)[0]!);
        trailer.set(trailing, metadata.get(trailing)[0]!);
        handlerCall.sendMetadata(header);
        handlerCall.end(trailer);
      },
    });
    const heard: unknown[] = [];
    const hear = (fields: unknown) => void heard.push(fields);
    await all(link.stream(expand, [{ count: 0, size: 0 }], call({ metadata: sent, onHeader: hear, onTrailer: hear })));
    expect(heard).toEqual([{ [initial]: sent[initial] }, { [trailing]: sent[trailing] }]);
  },
  status_code_and_message: (peers) => expectStatus(peers, Code.UNKNOWN, 'test status message'),
  special_status_message: (peers) => expectStatus(peers, Code.UNKNOWN, whitespace),
  async unimplemented_method({ link }) {
    const unknown = { ...echo, path: '/holdfast.testing.v1.EchoService/UnimplementedCall' };
    expect(await failureOf(link.unary(unknown, nothing, call()))).toMatchObject({ code: Code.UNIMPLEMENTED });
  },
  async unimplemented_service({ link }) {
    const unknown = { ...echo, path: '/holdfast.testing.v1.UnimplementedService/UnimplementedCall' };
    expect(await failureOf(link.unary(unknown, nothing, call()))).toMatchObject({ code: Code.UNIMPLEMENTED });
  },
  async cancel_after_begin({ link, server }) {
    const [began, controller] = [new Gate(), new AbortController()];
    server.does({ collect: () => (began.open(), new Promise(() => undefined)) });
    const answer = failureOf(all(link.stream(collect, never, call({ signal: controller.signal }))));
    await began.opened;
    controller.abort();
    expect(await answer).toBeInstanceOf(Cancelled);
  },
  async cancel_after_first_response({ link }) {
    const controller = new AbortController();
    async function* one() {
      yield { text: 'first' };
      yield* never;
    }
    const reading = (async () => {
      for await (const _ of link.stream(chat, one(), call({ signal: controller.signal }))) controller.abort();
    })();
    expect(await failureOf(reading)).toBeInstanceOf(Cancelled);
  },
  async timeout_on_sleeping_server({ link, server }) {
    server.does({ chat: () => new Promise(() => undefined) });
    await link.unary(echo, nothing, call());
    const answer = all(link.stream(chat, [{ text: 'x'.repeat(27_182) }], call({ deadline: inMs(1) })));
    expect(await failureOf(answer)).toBeInstanceOf(DeadlineExceeded);
  },
};

async function sumOf(requests: AsyncIterable<{ readonly payload: Uint8Array }>) {
  let count = 0;
  for await (const { payload } of requests) count += payload.length;
  return { count, texts: [] };
}

async function* inSizes() {
  for (const [index, size] of responseSizes.entries()) yield { index, payload: new Uint8Array(size) };
}

/** gRPC's interop cases, in plain text and over TLS. */
export function describeInterop(subject: TransportUnderTest): void {
  const name = 'interop.test';
  let pair: ReturnType<typeof selfSigned> | undefined;

  describe.each(['plain text', 'TLS'])('interop over %s', (kind) => {
    it.each(Object.entries(cases))('%s', async (_, run) => {
      expect.hasAssertions();
      const tls = kind === 'TLS' ? (pair ??= selfSigned(name)) : undefined;
      const server = await served(subject, { compression: 'gzip', ...(tls && { tls }) });
      const traffic = { sent: 0, received: 0 };
      const wire = await Wire.to(server.server.port, {
        sent: ({ length }) => (traffic.sent += length),
        received: ({ length }) => (traffic.received += length),
      });
      onTestFinished(() => wire.close());
      const options = tls ? { tls: { ca: tls.cert, serverName: name } } : {};
      const link = linked(subject, wire.address, options);
      const packed = linked(subject, wire.address, { ...options, compression: 'gzip' });
      await run({ server, link, traffic, packed, packsAnswers: subject.packsAnswers ?? false });
    });
  });
}
