import { describe, expect, it, onTestFinished } from 'vitest';
import { collect, echo, EchoServer, expand } from '../../testing/echo-server.js';
import { frame, message, RawPeer } from '../../testing/raw-peer.js';
import { Flag, FrameType } from '../http2/frames.js';
import { H2Server } from './h2-server.js';

const { DATA, HEADERS, RST_STREAM, SETTINGS, PING } = FrameType;
const { END_HEADERS, END_STREAM, ACK } = Flag;
const mebibyte = 1_048_576;
/** INITIAL_WINDOW_SIZE 0: a peer that takes no answer. */
const closed = Buffer.from([0, 4, 0, 0, 0, 0]);

async function started() {
  const echoServer = await EchoServer.start((options) => new H2Server(options));
  onTestFinished(async () => void (await echoServer.server.drain(0)));
  return { echoServer, server: echoServer.server as H2Server };
}

function peersTo(server: H2Server, count: number, settings?: Uint8Array): Promise<RawPeer[]> {
  return Promise.all(Array.from({ length: count }, () => RawPeer.to(server.port, settings)));
}

/** Waits until the server has read all that the peers have written. */
async function read(peers: readonly RawPeer[], name: string): Promise<void> {
  for (const peer of peers) peer.write(frame(PING, 0, 0, Buffer.from(name.padEnd(8).slice(0, 8))));
  const answered = ({ seen }: RawPeer) =>
    seen.some(({ type, flags, payload }) => type === PING && flags === ACK && payload.toString().startsWith(name));
  await expect.poll(() => peers.every(answered), { timeout: 10_000, interval: 1 }).toBe(true);
}

describe('what a server holds is bounded, for', () => {
  it('200 connections that are idle: nothing', async () => {
    const { server } = await started();
    await read(await peersTo(server, 200), 'idle');
    expect(server.queued).toEqual({ requests: 0, answers: 0 });
  });

  it('callers that read no answer of a stream: two answers a stream', async () => {
    const { server } = await started();
    const peers = await peersTo(server, 10, closed);
    const size = 16_384;
    const request = expand.encodeRequest({ count: 1_000, size });
    for (const peer of peers) for (let id = 1; id < 20; id += 2) peer.write(peer.call(id, expand.path, request));
    await read(peers, 'asked');
    expect(server.queued.answers).toBeGreaterThan(100 * size);
    expect(server.queued.answers).toBeLessThan(200 * size);
    // It does not grow with time either.
    await read(peers, 'later');
    expect(server.queued.answers).toBeLessThan(200 * size);
  });

  it(
    'a caller that reads none of its many answers: 64 MiB and one, and further calls are refused',
    { timeout: 30_000 },
    async () => {
      const { server } = await started();
      const [peer] = (await peersTo(server, 1, closed)) as [RawPeer];
      const request = message(echo.encodeRequest({ text: '', payload: Buffer.alloc(200_000) }));
      const ids = Array.from({ length: 450 }, (_, index) => 2 * index + 1);
      for (const id of ids) {
        peer.write(frame(HEADERS, END_HEADERS, id, peer.request(echo.path)));
        for (let at = 0; at < request.length; at += 16_384) {
          const part = request.subarray(at, at + 16_384);
          peer.write(frame(DATA, at + part.length === request.length ? END_STREAM : 0, id, part));
        }
        // As much as the window of the connection takes at once.
        if (id % 8 === 1) await read([peer], `${id}`);
      }
      await read([peer], 'all');
      expect(server.queued.answers).toBeGreaterThan(60 * mebibyte);
      expect(server.queued.answers).toBeLessThan(66 * mebibyte);
      expect(peer.seen.filter(({ type }) => type === RST_STREAM).length).toBeGreaterThan(100);
      expect(peer.resetOf(899)).toBe('REFUSED_STREAM');
      expect(server.queued.requests).toBeLessThan(mebibyte);
    },
  );

  it('handlers that read no request: what the windows allow', async () => {
    const { echoServer, server } = await started();
    echoServer.does({ collect: () => new Promise(() => undefined) });
    const peers = await peersTo(server, 10);
    const part = collect.encodeRequest({ text: '', payload: Buffer.alloc(10_000) });
    for (const peer of peers) {
      for (let id = 1; id < 8; id += 2) {
        peer.write(frame(HEADERS, END_HEADERS, id, peer.request(collect.path)));
        // A quarter of a MiB, the whole window of a stream.
        for (let count = 0; count < 26; count++) peer.write(frame(DATA, 0, id, message(part)));
      }
    }
    await read(peers, 'sent');
    expect(server.queued.requests).toBeGreaterThan(5 * mebibyte);
    expect(server.queued.requests).toBeLessThanOrEqual(10 * 4 * 262_144);
    // One byte more than the window ends the call, and what it held is let go.
    for (const peer of peers) for (let id = 1; id < 8; id += 2) peer.write(frame(DATA, 0, id, part));
    await read(peers, 'more');
    expect(server.queued.requests).toBe(0);
    expect(peers.map((peer) => peer.resetOf(7))).toEqual(peers.map(() => 'FLOW_CONTROL_ERROR'));
    expect(peers[0]!.seen.some(({ type }) => type === SETTINGS)).toBe(true);
  });
});
