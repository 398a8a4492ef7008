import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Code, seededRandom, ServiceError } from '@holdfast/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GrpcJsServer } from '../grpc-js/grpc-js-server.js';
import { GrpcJsTransport } from '../grpc-js/grpc-js-transport.js';
import { all, call, inMs } from '../testing/conformance-fixture.js';
import { chat, collect, echo, EchoServer, expand, type MakeServer } from '../testing/echo-server.js';
import { flip } from '../testing/flip.js';
import { frame, RawPeer } from '../testing/raw-peer.js';
import { Wire } from '../testing/wire.js';
import type { Link, Transport } from '../transport.js';
import { H2Transport } from './client/h2-transport.js';
import { settlements } from './grpc/settlements.js';
import { FrameReader } from './http2/frame-reader.js';
import { FrameType, preface } from './http2/frames.js';
import { H2Server } from './server/h2-server.js';

/** How many copies of each session, each with other bits flipped; `FUZZ_SESSIONS=10000` for many. `FUZZ_SEED` repeats a run. */
const sessions = Number(process.env['FUZZ_SESSIONS'] ?? 300);
const seed = Number(process.env['FUZZ_SEED'] ?? 7_541);
const atATime = 20;
const boundMs = 400;

/** The calls of a session, always the same ones in the same order, so that they have the same streams. */
function callAll(link: Link): readonly Promise<string>[] {
  const outgoing = call({
    deadline: inMs(boundMs),
    metadata: { 'x-request-id': 'r1', authorization: 'Bearer secret' },
  });
  const texts = Array.from({ length: 5 }, (_, index) => ({ text: `text ${index}`, payload: Buffer.alloc(300, index) }));
  return [
    ...texts.map(async (request) => (await link.unary(echo, request, outgoing)).text),
    link.unary(echo, { text: 'fail', payload: new Uint8Array() }, outgoing).then(({ text }) => text),
    all(link.stream(collect, texts, outgoing)).then(([one]) => String(one?.texts.join())),
    all(link.stream(expand, [{ count: 10, size: 2_000 }], outgoing)).then(({ length }) => `${length}`),
    all(link.stream(chat, texts, outgoing)).then((heard) => heard.map(({ text }) => text).join()),
  ];
}

async function serve(make: MakeServer): Promise<EchoServer> {
  const server = await EchoServer.start(make);
  server.does({
    echo(request) {
      if (request.text === 'fail') throw new ServiceError(Code.ABORTED, 'as you wish', { reason: 'ASKED' });
      return request;
    },
  });
  return server;
}

/** What both sides of a session said. */
async function record(server: EchoServer, transport: Transport) {
  const said = { sent: [] as Buffer[], received: [] as Buffer[] };
  const wire = await Wire.to(server.server.port, {
    sent: (chunk) => said.sent.push(chunk),
    received: (chunk) => said.received.push(chunk),
  });
  const link = transport.connect(wire.address);
  link.connect();
  await expect.poll(() => link.state.value).toBe('ready');
  const results = await Promise.allSettled(callAll(link));
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  link.close();
  await wire.close();
  return { sent: Buffer.concat(said.sent), received: Buffer.concat(said.received) };
}

describe('recorded sessions of grpc-js with flipped bits', () => {
  let server: EchoServer;
  const crashes: unknown[] = [];
  const note = (error: unknown) => void crashes.push(error);

  beforeAll(async () => {
    process.on('uncaughtExceptionMonitor', note);
    server = await serve((options) => new H2Server(options));
  });
  afterAll(async () => {
    process.off('uncaughtExceptionMonitor', note);
    await server.server.drain(0);
    expect(crashes).toEqual([]);
    expect(settlements).toEqual({ begun: settlements.ended, ended: settlements.ended, again: 0 });
  });

  it(`are taken by a server ${sessions} times (seed ${seed})`, { timeout: 600_000 }, async () => {
    const random = seededRandom(seed);
    const { sent } = await record(server, new GrpcJsTransport());
    let answered = 0;
    const play = async () => {
      const session = flip(random, sent);
      const spokenOf = new Set([0]);
      // The reader ends where the session stops to be one.
      try {
        new FrameReader(0xff_ffff, (_type, _flags, id) => void spokenOf.add(id)).push(session.subarray(preface.length));
      } catch {}
      const peer = await RawPeer.silent(server.server.port);
      const cut = Math.floor(random() * session.length);
      peer.write(session.subarray(0, cut));
      peer.write(session.subarray(cut), frame(FrameType.PING, 0, 0, Buffer.from('the last')));
      const settled = () =>
        peer.closed || peer.goAway !== undefined || peer.seen.some(({ payload }) => payload.toString() === 'the last');
      // A flipped length can make the ping a part of a frame that never ends: then nothing more is said.
      for (let turn = 0; turn < 200 && !settled(); turn++) await new Promise((resolve) => setImmediate(resolve));
      answered += peer.seen.some(({ type }) => type === FrameType.HEADERS) ? 1 : 0;
      for (const { streamId } of peer.seen) expect(spokenOf).toContain(streamId);
      peer.socket.destroy();
    };
    for (let at = 0; at < sessions; at += atATime) await Promise.all(Array.from({ length: atATime }, play));
    expect(answered).toBeGreaterThan(sessions / 4);
    const link = new H2Transport().connect(server.address);
    onTestFinished(() => link.close());
    expect((await Promise.allSettled(callAll(link))).map(({ status }) => status)).toContain('fulfilled');
  });

  it(`are taken by a caller ${sessions} times (seed ${seed})`, { timeout: 600_000 }, async () => {
    const random = seededRandom(seed);
    const reference = await serve((options) => new GrpcJsServer(options));
    const { received } = await record(reference, new H2Transport());
    await reference.server.drain(0);
    const listener = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      // When the caller has said its first words, the calls are on their way with them.
      socket.once('data', () => setImmediate(() => socket.write(flip(random, received))));
      socket.resume();
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void listener.close());
    const [outcomes, wrong] = [new Map<string, number>(), [] as string[]];
    const play = async () => {
      const link = new H2Transport().connect(`127.0.0.1:${(listener.address() as AddressInfo).port}`);
      for (const [index, result] of (await Promise.allSettled(callAll(link))).entries()) {
        outcomes.set(result.status, (outcomes.get(result.status) ?? 0) + 1);
        // A bit may flip within a text, but never may one call get another's.
        if (index >= 5 || result.status === 'rejected') continue;
        if (/^text \d$/.test(result.value) && result.value !== `text ${index}`) wrong.push(result.value);
      }
      link.close();
    };
    for (let at = 0; at < sessions; at += atATime) await Promise.all(Array.from({ length: atATime }, play));
    expect((outcomes.get('fulfilled') ?? 0) + (outcomes.get('rejected') ?? 0)).toBe(9 * sessions);
    // What is played is an answer to what was asked, and the flipped bits matter.
    expect(outcomes.get('fulfilled')).toBeGreaterThan(sessions);
    expect(outcomes.get('rejected')).toBeGreaterThan(sessions);
    expect(wrong.length).toBeLessThan(3);
  });
});
