import { createServer, type AddressInfo } from 'node:net';
import { seededRandom, type Random } from '@holdfast/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { all, call } from '../testing/conformance-fixture.js';
import { echo, EchoServer, expand } from '../testing/echo-server.js';
import { flip } from '../testing/flip.js';
import { frame, message, RawPeer, uint32 } from '../testing/raw-peer.js';
import { H2Transport } from './client/h2-transport.js';
import { settlements } from './grpc/settlements.js';
import { FrameReader } from './http2/frame-reader.js';
import { Flag, FrameType, preface } from './http2/frames.js';
import { H2Server } from './server/h2-server.js';

/** How many frames; `FUZZ_FRAMES=1000000` for the whole. `FUZZ_SEED` repeats a run. */
const frames = Number(process.env['FUZZ_FRAMES'] ?? 20_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 9_113);
const perSession = 60;
const lengths = [0, 1, 4, 5, 8, 9, 16, 100, 1_000, 16_384];

const below = (random: Random, most: number) => Math.floor(random() * most);
const noise = (random: Random, length: number) => Buffer.from(Array.from({ length }, () => below(random, 256)));

/** A frame that is right in form, in part or not at all, about a stream that is there, was there or never was. */
function anyFrame(random: Random, peer: RawPeer, next: () => number): Buffer {
  const known = 1 + 2 * below(random, 8);
  const flags = random() < 0.7 ? [0, 1, 4, 5][below(random, 4)]! : below(random, 256);
  switch (below(random, 12)) {
    case 0:
    case 1:
    case 2: {
      const id = next();
      return peer.call(
        id,
        echo.path,
        echo.encodeRequest({ text: `stream ${id}`, payload: noise(random, below(random, 50)) }),
      );
    }
    case 3:
      return frame(
        FrameType.HEADERS,
        Flag.END_HEADERS,
        next(),
        peer.request(random() < 0.5 ? expand.path : '/no/such'),
      );
    case 4:
      return frame(FrameType.DATA, flags, known, message(noise(random, below(random, 30)), below(random, 3)));
    case 5:
      return frame(FrameType.RST_STREAM, flags, known, uint32(below(random, 14)));
    case 6:
      return frame(FrameType.WINDOW_UPDATE, flags, random() < 0.5 ? 0 : known, uint32(below(random, 100_000)));
    case 7:
      return frame(
        FrameType.SETTINGS,
        random() < 0.9 ? 0 : flags,
        0,
        Buffer.from([0, below(random, 8), 0, 0, below(random, 256), below(random, 256)]),
      );
    case 8:
      return frame(FrameType.PING, flags & 1, 0, noise(random, 8));
    case 9:
      return frame(FrameType.HEADERS, flags, known, noise(random, below(random, 60)));
    case 10:
      return frame(below(random, 12), flags, known, noise(random, lengths[below(random, lengths.length)]!));
    default:
      return frame(FrameType.PRIORITY, 0, known, noise(random, 5));
  }
}

/** The streams that a session speaks of. */
function streamsIn(session: Buffer): ReadonlySet<number> {
  const streams = new Set([0]);
  const reader = new FrameReader(0xff_ffff, (_type, _flags, id) => void streams.add(id));
  reader.push(session.subarray(preface.length));
  return streams;
}

describe('fuzzing', () => {
  let server: EchoServer;
  const crashes: unknown[] = [];
  const note = (error: unknown) => void crashes.push(error);

  beforeAll(async () => {
    process.on('uncaughtExceptionMonitor', note);
    server = await EchoServer.start((options) => new H2Server(options));
  });
  afterAll(async () => {
    process.off('uncaughtExceptionMonitor', note);
    await server.server.drain(0);
    // Whatever came, each call ended, and none twice.
    expect(settlements).toEqual({ begun: settlements.ended, ended: settlements.ended, again: 0 });
  });

  /** Every answer must be for the stream that it came on, and for one that the peer spoke of. */
  function check(peer: RawPeer, session: Buffer, texts: boolean): void {
    const spokenOf = streamsIn(session);
    for (const { type, streamId, payload } of peer.seen) {
      if (!spokenOf.has(streamId)) expect.fail(`a frame of type ${type} on stream ${streamId}, which is nobody's`);
      if (!texts) continue;
      if (type !== FrameType.DATA || payload.length < 7 || payload[5] !== 0x0a) continue;
      expect(echo.decodeResponse(payload.subarray(5)).text).toBe(`stream ${streamId}`);
    }
  }

  it(`a server takes ${frames} frames of any kind (seed ${seed})`, { timeout: 1_200_000 }, async () => {
    const random = seededRandom(seed);
    const before = process.memoryUsage().heapUsed;
    for (let sent = 0; sent < frames; sent += perSession) {
      const peer = await RawPeer.silent(server.server.port);
      let lastId = -1;
      const session = [preface, frame(FrameType.SETTINGS, 0, 0)];
      for (let count = 0; count < perSession; count++) session.push(anyFrame(random, peer, () => (lastId += 2)));
      const bytes = Buffer.concat(session);
      const mutated = random() < 0.3 ? flip(random, bytes) : bytes;
      const cut = below(random, mutated.length);
      peer.write(mutated.subarray(0, cut));
      peer.write(mutated.subarray(cut));
      const settled = () =>
        peer.goAway !== undefined || peer.seen.some(({ type, flags }) => type === FrameType.PING && flags === 1);
      peer.write(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
      for (let turn = 0; turn < 200 && !settled() && !peer.closed; turn++)
        await new Promise((resolve) => setImmediate(resolve));
      check(peer, mutated, mutated === bytes);
      peer.socket.destroy();
    }
    const link = new H2Transport().connect(server.address);
    expect(await link.unary(echo, { text: 'still here', payload: new Uint8Array() }, call())).toMatchObject({
      text: 'still here',
    });
    link.close();
    expect(crashes).toEqual([]);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(300_000_000);
  });

  it('every call ends once, whatever bits of the answers flip', { timeout: 600_000 }, async () => {
    const random = seededRandom(seed);
    const relay = createServer((near) => {
      const far = new (near.constructor as typeof import('node:net').Socket)();
      far.connect(server.server.port, '127.0.0.1');
      near.on('error', () => undefined);
      far.on('error', () => undefined);
      near.pipe(far);
      far.on('data', (chunk: Buffer) => void near.write(random() < 0.2 ? flip(random, chunk) : chunk));
      far.on('close', () => near.destroy());
      near.on('close', () => far.destroy());
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void relay.close());
    const address = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
    const rounds = Math.max(20, Math.min(1_000, Math.floor(frames / 1_000)));
    let [ended, wrong] = [0, 0];
    for (let round = 0; round < rounds; round++) {
      const link = new H2Transport().connect(address);
      const outgoing = call({ deadline: performance.now() + 1_000 });
      const calls = Array.from({ length: 10 }, async (_, index) => {
        const text = `call ${index}`.padEnd(200, '.');
        const answer = await link.unary(echo, { text, payload: new Uint8Array() }, outgoing);
        // A bit may flip within a text, but never may one call get another's.
        if (answer.text.startsWith('call ') && !answer.text.startsWith(`call ${index}`)) wrong++;
      });
      const streams = Array.from({ length: 3 }, () => all(link.stream(expand, [{ count: 20, size: 500 }], outgoing)));
      for (const result of await Promise.allSettled([...calls, ...streams])) ended += result.status ? 1 : 0;
      link.close();
    }
    expect(ended).toBe(13 * rounds);
    expect(wrong).toBeLessThan(3);
    expect(crashes).toEqual([]);
  });
});
