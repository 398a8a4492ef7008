import { createServer, type AddressInfo } from 'node:net';
import { Code } from '@holdfast/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { call, failureOf } from '../../testing/conformance-fixture.js';
import { echo } from '../../testing/echo-server.js';
import { frame, message, RawPeer, uint32 } from '../../testing/raw-peer.js';
import type { Link } from '../../transport.js';
import { Flag, FrameType } from '../http2/frames.js';
import { H2Transport } from './h2-transport.js';

const { DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, GOAWAY, PING } = FrameType;
const { END_HEADERS, END_STREAM, ACK } = Flag;
const nothing = { text: '', payload: new Uint8Array() };
const answer = message(echo.encodeResponse({ text: 'fine', payload: new Uint8Array() }));

/** A link to a server that does what `onRequest` says when the first request is there. */
async function linkTo(onRequest: (peer: RawPeer, id: number) => void, settings: Uint8Array = Buffer.alloc(0)) {
  const peers: RawPeer[] = [];
  const listener = createServer((socket) => {
    const peer = new RawPeer(socket);
    peer.isServer = true;
    peers.push(peer);
    peer.write(frame(SETTINGS, 0, 0, settings));
    const answered = new Set<number>();
    socket.on('data', () => {
      for (const { type, streamId, flags } of [...peer.seen]) {
        const whole = type === DATA && (flags & END_STREAM) !== 0;
        if (!whole || answered.has(streamId)) continue;
        answered.add(streamId);
        onRequest(peer, streamId);
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listener.close());
  const link: Link = new H2Transport().connect(`127.0.0.1:${(listener.address() as AddressInfo).port}`);
  onTestFinished(() => link.close());
  return { link, peers };
}

const header = (peer: RawPeer, id: number, fields = [':status', '200', 'content-type', 'application/grpc'], end = 0) =>
  frame(HEADERS, END_HEADERS | end, id, peer.block(fields));
const trailer = (peer: RawPeer, id: number, fields = ['grpc-status', '0']) => header(peer, id, fields, END_STREAM);
const good = (peer: RawPeer, id: number) =>
  Buffer.concat([header(peer, id), frame(DATA, 0, id, answer), trailer(peer, id)]);

describe('a caller whose server misbehaves', () => {
  const violations: [string, string, (peer: RawPeer, id: number) => Buffer][] = [
    ['pushes', 'PROTOCOL_ERROR', (_, id) => frame(PUSH_PROMISE, END_HEADERS, id, uint32(2))],
    ['answers what was never asked', 'PROTOCOL_ERROR', (peer) => header(peer, 99)],
    ['opens a stream', 'PROTOCOL_ERROR', (peer) => header(peer, 2)],
    ['sends DATA that was never asked for', 'PROTOCOL_ERROR', () => frame(DATA, 0, 99, Buffer.alloc(5))],
    ['sends a frame that is too long', 'FRAME_SIZE_ERROR', (_, id) => frame(DATA, 0, id, Buffer.alloc(20_000))],
    [
      'floods it with PING',
      'ENHANCE_YOUR_CALM',
      () => Buffer.concat(Array.from({ length: 3_000 }, () => frame(PING, 0, 0, Buffer.alloc(8)))),
    ],
    [
      'floods it with SETTINGS',
      'ENHANCE_YOUR_CALM',
      () => Buffer.concat(Array.from({ length: 3_000 }, () => frame(SETTINGS, 0, 0))),
    ],
  ];
  it.each(violations)('hangs up on one that %s, by %s', async (_, code, bytes) => {
    const { link, peers } = await linkTo((peer, id) => peer.write(bytes(peer, id)));
    expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject({ processed: 'maybe' });
    expect(await peers[0]!.farewell()).toBe(code);
  });

  const answers: [string, object, (peer: RawPeer, id: number) => Buffer][] = [
    ['an answer without headers', { processed: 'maybe' }, (_, id) => frame(DATA, 0, id, answer)],
    [
      'headers that HTTP/2 forbids',
      { processed: 'maybe' },
      (peer, id) => header(peer, id, [':status', '200', 'connection', 'close']),
    ],
    [
      'trailers that are not the end',
      { processed: 'maybe' },
      (peer, id) => Buffer.concat([header(peer, id), header(peer, id, ['grpc-status', '0'])]),
    ],
    [
      'no status',
      { processed: 'maybe' },
      (peer, id) => Buffer.concat([header(peer, id), frame(DATA, END_STREAM, id, answer)]),
    ],
    ['no answer', { code: Code.UNIMPLEMENTED }, (peer, id) => Buffer.concat([header(peer, id), trailer(peer, id)])],
    [
      'two answers',
      { code: Code.INTERNAL },
      (peer, id) => Buffer.concat([header(peer, id), frame(DATA, 0, id, answer), frame(DATA, 0, id, answer)]),
    ],
    [
      'half an answer',
      { code: Code.INTERNAL },
      (peer, id) => Buffer.concat([header(peer, id), frame(DATA, 0, id, answer.subarray(0, 7)), trailer(peer, id)]),
    ],
    [
      'a flag that gRPC does not know',
      { code: Code.INTERNAL },
      (peer, id) => Buffer.concat([header(peer, id), frame(DATA, 0, id, message(Buffer.alloc(1), 7))]),
    ],
    [
      'an answer that says it has 4 GB',
      { code: Code.RESOURCE_EXHAUSTED },
      (peer, id) => Buffer.concat([header(peer, id), frame(DATA, 0, id, Buffer.from([0, 255, 255, 255, 255]))]),
    ],
    [
      'an answer of HTTP',
      { code: Code.UNAVAILABLE },
      (peer, id) => header(peer, id, [':status', '503', 'content-type', 'text/html'], END_STREAM),
    ],
    [
      'headers without measure',
      { processed: 'maybe' },
      (peer, id) =>
        header(peer, id, [
          ':status',
          '200',
          ...Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'a'.repeat(60)]).flat(),
        ]),
    ],
    ['a refusal', { processed: 'never' }, (_, id) => frame(RST_STREAM, 0, id, uint32(7))],
    ['a reset', { processed: 'maybe' }, (_, id) => frame(RST_STREAM, 0, id, uint32(2))],
    ['a farewell that leaves it out', { processed: 'never' }, () => frame(GOAWAY, 0, 0, Buffer.alloc(8))],
  ];
  it.each(answers)('fails the call for %s', async (_, expected, bytes) => {
    const { link } = await linkTo((peer, id) => peer.write(bytes(peer, id)));
    expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject(expected);
  });

  it('ends the one call whose listener throws', async () => {
    const { link } = await linkTo((peer, id) => peer.write(good(peer, id)));
    const broken = new Error('a bug in the listener');
    const listener = () => {
      throw broken;
    };
    const [bad, fine] = await Promise.allSettled([
      link.unary(echo, nothing, call({ onHeader: listener })),
      link.unary(echo, nothing, call()),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: broken });
    expect(fine).toMatchObject({ status: 'fulfilled' });
  });

  it('takes informational answers before the real one', async () => {
    const { link } = await linkTo((peer, id) => peer.write(header(peer, id, [':status', '103']), good(peer, id)));
    expect(await link.unary(echo, nothing, call())).toMatchObject({ text: 'fine' });
  });

  it('opens no more streams than the server takes, and the rest in their turn', async () => {
    let open = 0;
    let most = 0;
    const one = Buffer.from([0, 3, 0, 0, 0, 1]);
    const { link } = await linkTo((peer, id) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        peer.write(good(peer, id));
      });
    }, one);
    const texts = await Promise.all(Array.from({ length: 20 }, () => link.unary(echo, nothing, call())));
    expect(texts).toHaveLength(20);
    expect(most).toBe(1);
  });

  it('waits for room in a window that is closed, and for no longer than its deadline', async () => {
    const closed = Buffer.from([0, 4, 0, 0, 0, 0]);
    const { link, peers } = await linkTo(() => undefined, closed);
    const error = await failureOf(link.unary(echo, nothing, call({ deadline: performance.now() + 150 })));
    expect(error).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    await expect.poll(() => peers[0]!.resetOf(1)).toBe('CANCEL');
    expect(peers[0]!.seen.some(({ type }) => type === DATA)).toBe(false);
  });

  it('acknowledges settings and answers pings', async () => {
    const { link, peers } = await linkTo((peer, id) =>
      peer.write(frame(PING, 0, 0, Buffer.from('12345678')), good(peer, id)),
    );
    await link.unary(echo, nothing, call());
    const acknowledged = (type: number) => peers[0]!.seen.some((one) => one.type === type && one.flags === ACK);
    await expect.poll(() => acknowledged(SETTINGS) && acknowledged(PING)).toBe(true);
  });
});
