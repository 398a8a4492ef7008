import { gzipSync } from 'node:zlib';
import { Code } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { call, Gate } from '../../testing/conformance-fixture.js';
import { echo, EchoServer } from '../../testing/echo-server.js';
import { frame, message, RawPeer, uint32 } from '../../testing/raw-peer.js';
import type { RpcServerOptions } from '../../server/rpc-server.js';
import { H2Transport } from '../client/h2-transport.js';
import { Flag, FrameType } from '../http2/frames.js';
import { H2Server } from './h2-server.js';

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, WINDOW_UPDATE, CONTINUATION } = FrameType;
const { END_HEADERS, END_STREAM, PADDED, ACK } = Flag;
const collectPath = '/holdfast.testing.v1.EchoService/Collect';
const hello = echo.encodeRequest({ text: 'hello', payload: new Uint8Array() });

async function started(options: Partial<RpcServerOptions> = {}): Promise<EchoServer> {
  const server = await EchoServer.start((all) => new H2Server(all), options);
  onTestFinished(async () => void (await server.server.drain(0)));
  return server;
}

/** A server under attack, the attacker, and a check that others are still served. */
async function attacked(options: Partial<RpcServerOptions> = {}, settings?: Uint8Array) {
  const server = await started(options);
  const peer = await RawPeer.to(server.server.port, settings);
  const othersAreServed = async () => {
    const link = new H2Transport().connect(server.address);
    onTestFinished(() => link.close());
    const answer = await link.unary(echo, { text: 'still here', payload: new Uint8Array() }, call());
    expect(answer.text).toBe('still here');
  };
  return { server, peer, othersAreServed };
}

/** Lets what was written arrive: on loopback that takes a few turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const times = (count: number, one: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => one(i)));
const headers = (peer: RawPeer, id: number, flags = 0) =>
  frame(HEADERS, END_HEADERS | flags, id, peer.request(collectPath));

describe('a connection is ended for', () => {
  const bytes8 = Buffer.alloc(8);
  const floods: [string, (peer: RawPeer) => Buffer][] = [
    ['a flood of PING', () => times(5_000, () => frame(PING, 0, 0, bytes8))],
    ['a flood of SETTINGS', () => times(5_000, () => frame(SETTINGS, 0, 0))],
    ['a flood of table sizes', () => times(5_000, (i) => frame(SETTINGS, 0, 0, Buffer.from([0, 1, 0, 0, i & 1, 0])))],
    ['a flood of PRIORITY', () => times(5_000, () => frame(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 3, 1])))],
    ['a flood of unknown frames', () => times(5_000, () => frame(0x42, 0, 1, bytes8))],
    ['a flood of empty DATA', (peer) => Buffer.concat([headers(peer, 1), times(5_000, () => frame(DATA, 0, 1))])],
    ['a flood of WINDOW_UPDATE', () => times(5_000, () => frame(WINDOW_UPDATE, 0, 0, uint32(1)))],
    [
      'a flood of RST_STREAM for streams that are closed',
      (peer) => Buffer.concat([headers(peer, 1), times(5_000, () => frame(RST_STREAM, 0, 1, uint32(8)))]),
    ],
    [
      'rapid resets',
      (peer) =>
        times(5_000, (i) => Buffer.concat([headers(peer, 2 * i + 1), frame(RST_STREAM, 0, 2 * i + 1, uint32(8))])),
    ],
    [
      'making the server reset',
      (peer) =>
        times(5_000, (i) => Buffer.concat([headers(peer, 2 * i + 1), frame(WINDOW_UPDATE, 0, 2 * i + 1, uint32(0))])),
    ],
    [
      'a flood of CONTINUATION',
      (peer) =>
        Buffer.concat([frame(HEADERS, 0, 1, peer.request(collectPath)), times(500, () => frame(CONTINUATION, 0, 1))]),
    ],
    [
      'header blocks without an end',
      () => Buffer.concat([frame(HEADERS, 0, 1), times(3, () => frame(CONTINUATION, 0, 1, Buffer.alloc(8_000)))]),
    ],
    ['settings without an end', () => frame(SETTINGS, 0, 0, Buffer.alloc(6 * 1_000))],
  ];
  it.each(floods)('%s, within the first few thousand frames', async (_, bytes) => {
    const { peer, server, othersAreServed } = await attacked({ maxConcurrentStreams: 10_000 });
    let handled = 0;
    server.does({ collect: () => (handled++, new Promise(() => undefined)) });
    peer.write(bytes(peer));
    expect(await peer.farewell()).toBe('ENHANCE_YOUR_CALM');
    // The first thousand, and what the bucket fills while the machine takes its time.
    expect(handled).toBeLessThan(2_500);
    await othersAreServed();
  });

  const violations: [string, string, (peer: RawPeer) => Buffer][] = [
    ['a frame longer than allowed', 'FRAME_SIZE_ERROR', () => frame(DATA, 0, 1, Buffer.alloc(16_385))],
    ['a stream of even number', 'PROTOCOL_ERROR', (peer) => headers(peer, 2)],
    ['headers on stream 0', 'PROTOCOL_ERROR', (peer) => headers(peer, 0)],
    ['DATA on a stream that was never opened', 'PROTOCOL_ERROR', () => frame(DATA, 0, 1, Buffer.alloc(1))],
    ['WINDOW_UPDATE on one', 'PROTOCOL_ERROR', () => frame(WINDOW_UPDATE, 0, 1, uint32(1))],
    ['RST_STREAM on one', 'PROTOCOL_ERROR', () => frame(RST_STREAM, 0, 1, uint32(8))],
    ['a stream number that goes back', 'STREAM_CLOSED', (peer) => Buffer.concat([headers(peer, 5), headers(peer, 3)])],
    ['CONTINUATION of nothing', 'PROTOCOL_ERROR', () => frame(CONTINUATION, END_HEADERS, 1)],
    [
      'a frame within a header block',
      'PROTOCOL_ERROR',
      (peer) => Buffer.concat([frame(HEADERS, 0, 1, peer.request(collectPath)), frame(PING, 0, 0, bytes8)]),
    ],
    ['padding longer than its frame', 'PROTOCOL_ERROR', () => frame(DATA, PADDED, 1, Buffer.from([9, 0]))],
    ['a push', 'PROTOCOL_ERROR', () => frame(PUSH_PROMISE, END_HEADERS, 1, uint32(2))],
    ['PING of another length', 'FRAME_SIZE_ERROR', () => frame(PING, 0, 0, Buffer.alloc(7))],
    ['PING on a stream', 'PROTOCOL_ERROR', () => frame(PING, 0, 1, bytes8)],
    ['SETTINGS of half an entry', 'FRAME_SIZE_ERROR', () => frame(SETTINGS, 0, 0, Buffer.alloc(7))],
    ['an acknowledgement with a payload', 'FRAME_SIZE_ERROR', () => frame(SETTINGS, ACK, 0, Buffer.alloc(6))],
    ['a window above 2^31 - 1', 'FLOW_CONTROL_ERROR', () => frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x80, 0, 0, 0]))],
    ['a frame size below the least', 'PROTOCOL_ERROR', () => frame(SETTINGS, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1]))],
    ['a connection window that overflows', 'FLOW_CONTROL_ERROR', () => frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff_ffff))],
    ['a connection window that opens by nothing', 'PROTOCOL_ERROR', () => frame(WINDOW_UPDATE, 0, 0, uint32(0))],
    ['headers that cannot be unpacked', 'COMPRESSION_ERROR', () => frame(HEADERS, END_HEADERS, 1, Buffer.from([0xff]))],
    [
      'a table larger than agreed',
      'COMPRESSION_ERROR',
      () => frame(HEADERS, END_HEADERS, 1, Buffer.from([0x3f, 0xe2, 0x1f])),
    ],
  ];
  it.each(violations)('%s: %s', async (_, code, bytes) => {
    const { peer, othersAreServed } = await attacked();
    peer.write(bytes(peer));
    expect(await peer.farewell()).toBe(code);
    await othersAreServed();
  });

  it('DATA on a stream that has ended', async () => {
    const { peer } = await attacked();
    peer.write(peer.call(1, echo.path, hello));
    await expect.poll(() => peer.seen.filter(({ type }) => type === HEADERS)).toHaveLength(2);
    peer.write(frame(DATA, 0, 1, Buffer.alloc(10)));
    expect(await peer.farewell()).toBe('STREAM_CLOSED');
  });

  it('a greeting of another protocol', async () => {
    const server = await started();
    const peer = await RawPeer.silent(server.server.port);
    peer.write(Buffer.from('GET / HTTP/1.1\r\nHost: here\r\n\r\n'));
    expect(await peer.farewell()).toBe('PROTOCOL_ERROR');
  });

  it('a first frame that is not SETTINGS', async () => {
    const server = await started();
    const peer = await RawPeer.silent(server.server.port);
    peer.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(PING, 0, 0, Buffer.alloc(8)));
    expect(await peer.farewell()).toBe('PROTOCOL_ERROR');
  });
});

describe('a stream is ended for', () => {
  const malformed: [string, string[]][] = [
    ['a field of the connection', ['connection', 'close']],
    ['transfer-encoding', ['transfer-encoding', 'chunked']],
    ['an upper-case name', ['X-Big', '1']],
    ['a name with a space', ['x y', '1']],
    ['an empty name', ['', '1']],
    ['a line break in a value', ['x-a', '1\r\nx-b: 2']],
    ['white space around a value', ['x-a', ' 1']],
    ['te that is not trailers', ['te', 'gzip']],
    ['a pseudo-field after others', [':path', '/other']],
    ['a pseudo-field that is not known', [':status', '200']],
  ];
  it.each(malformed)('%s', async (_, fields) => {
    const { peer } = await attacked();
    peer.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, peer.request(echo.path, fields)));
    await expect.poll(() => peer.resetOf(1)).toBe('PROTOCOL_ERROR');
    // The connection, and the table of its headers, are as they were.
    peer.write(peer.call(3, echo.path, hello));
    await expect.poll(() => peer.seen.filter(({ streamId, type }) => streamId === 3 && type === DATA)).toHaveLength(1);
  });

  it('a path that is missing or there twice', async () => {
    const { peer } = await attacked();
    peer.write(frame(HEADERS, END_HEADERS, 1, peer.block([':method', 'POST', ':scheme', 'http'])));
    const twice = [':method', 'POST', ':scheme', 'http', ':path', echo.path, ':path', '/other'];
    peer.write(frame(HEADERS, END_HEADERS, 3, peer.block(twice)));
    await expect.poll(() => [peer.resetOf(1), peer.resetOf(3)]).toEqual(['PROTOCOL_ERROR', 'PROTOCOL_ERROR']);
  });

  it('DATA after its end', async () => {
    const { peer, server } = await attacked();
    const gate = new Gate();
    server.does({ echo: (request) => gate.opened.then(() => request) });
    peer.write(peer.call(1, echo.path, hello), frame(DATA, 0, 1, Buffer.alloc(1)));
    await expect.poll(() => peer.resetOf(1)).toBe('STREAM_CLOSED');
    gate.open();
  });

  it('more DATA than its window', async () => {
    const { peer, server } = await attacked();
    server.does({ collect: () => new Promise(() => undefined) });
    peer.write(
      headers(peer, 1),
      times(17, () => frame(DATA, 0, 1, message(Buffer.alloc(16_000)))),
    );
    await expect.poll(() => peer.resetOf(1)).toBe('FLOW_CONTROL_ERROR');
  });

  it('a window that overflows', async () => {
    const { peer } = await attacked();
    peer.write(headers(peer, 1), frame(WINDOW_UPDATE, 0, 1, uint32(0x7fff_ffff)));
    await expect.poll(() => peer.resetOf(1)).toBe('FLOW_CONTROL_ERROR');
  });

  it('being one too many', async () => {
    const { peer, server } = await attacked({ maxConcurrentStreams: 2 });
    server.does({ collect: () => new Promise(() => undefined) });
    peer.write(headers(peer, 1), headers(peer, 3), headers(peer, 5));
    await expect.poll(() => peer.resetOf(5)).toBe('REFUSED_STREAM');
  });
});

describe('a call is refused for', () => {
  const statusOf = async (peer: RawPeer, id: number) => {
    await expect.poll(() => peer.seen.some((one) => one.streamId === id && (one.flags & END_STREAM) !== 0)).toBe(true);
    const fields = peer.fields().get(id)!;
    return Number(fields[fields.indexOf('grpc-status') + 1]);
  };

  it('headers that stand for much more than they are, and the connection goes on', async () => {
    const { peer, othersAreServed } = await attacked();
    const literal = Buffer.concat([
      Buffer.from([0x40, 3]),
      Buffer.from('x-a'),
      Buffer.from([0x7f, 0xa1, 0x1e]),
      Buffer.alloc(4_000, 'a'),
    ]);
    const bomb = Buffer.concat([peer.request(echo.path), literal, Buffer.alloc(8_000, 0xbe)]);
    peer.write(frame(HEADERS, END_HEADERS, 1, bomb));
    expect(await statusOf(peer, 1)).toBe(Code.RESOURCE_EXHAUSTED);
    expect(peer.goAway).toBeUndefined();
    await othersAreServed();
  });

  it('a message that says it has 4 GB', async () => {
    const { peer } = await attacked();
    const lie = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]);
    peer.write(frame(HEADERS, END_HEADERS, 1, peer.request(echo.path)), frame(DATA, 0, 1, lie));
    expect(await statusOf(peer, 1)).toBe(Code.RESOURCE_EXHAUSTED);
  });

  it('a message that unpacks to more than is taken', async () => {
    const { peer } = await attacked();
    const packed = message(gzipSync(Buffer.alloc(50_000_000)), 1);
    peer.write(frame(HEADERS, END_HEADERS, 1, peer.request(echo.path, ['grpc-encoding', 'gzip'])));
    for (let at = 0; at < packed.length; at += 16_000) peer.write(frame(DATA, 0, 1, packed.subarray(at, at + 16_000)));
    expect(await statusOf(peer, 1)).toBe(Code.RESOURCE_EXHAUSTED);
  });

  it('being no gRPC', async () => {
    const { peer } = await attacked();
    const get = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'here'];
    peer.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, peer.block(get)));
    await expect.poll(() => peer.seen.some(({ type }) => type === HEADERS)).toBe(true);
    expect(peer.fields().get(1)).toEqual([':status', '405']);
  });
});

describe('what is odd but allowed', () => {
  it('is served: reserved bits, padding, a priority, trailers of the caller', async () => {
    const { peer } = await attacked();
    const priority = Buffer.from([3, 0, 0, 0, 9, 200]);
    const block = Buffer.concat([priority, peer.request(echo.path), Buffer.alloc(3)]);
    peer.write(
      frame(WINDOW_UPDATE, 0, 0x8000_0000, uint32(0x8000_0001)),
      frame(HEADERS, END_HEADERS | PADDED | Flag.PRIORITY, 0x8000_0001, block),
      frame(DATA, PADDED, 1, Buffer.concat([Buffer.from([200]), message(hello), Buffer.alloc(200)])),
      frame(HEADERS, END_HEADERS | END_STREAM, 1, peer.block(['x-trailer', '1'])),
    );
    await expect
      .poll(() => peer.seen.some(({ type, flags }) => type === HEADERS && (flags & END_STREAM) !== 0))
      .toBe(true);
    expect(peer.fields().get(1)).toContain('grpc-status');
    expect(
      peer.seen
        .find(({ type }) => type === DATA)
        ?.payload.subarray(5)
        .equals(hello),
    ).toBe(true);
  });

  it('is served byte by byte', async () => {
    const { peer } = await attacked();
    for (const byte of peer.call(1, echo.path, hello)) {
      peer.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect
      .poll(() =>
        peer.seen
          .find(({ type }) => type === DATA)
          ?.payload.subarray(5)
          .equals(hello),
      )
      .toBe(true);
  });
});

describe('a peer that takes its time', () => {
  it('is left when it does not say its settings', async () => {
    const clock = new FakeClock();
    const server = await started({ clock });
    const peer = await RawPeer.silent(server.server.port);
    await expect.poll(() => peer.seen.length).toBeGreaterThan(0);
    await clock.advance(5_001);
    expect(await peer.farewell()).toBe('SETTINGS_TIMEOUT');
  });

  it('is left when a frame does not come to its end', async () => {
    const clock = new FakeClock();
    const server = await started({ clock, keepalive: { everyMs: 1_000, timeoutMs: 60_000 } });
    const peer = await RawPeer.to(server.server.port);
    await expect.poll(() => peer.seen.some(({ flags, type }) => type === SETTINGS && flags === ACK)).toBe(true);
    const slow = frame(HEADERS, END_HEADERS, 1, peer.request(echo.path));
    for (let at = 0; at < 13; at++) {
      peer.write(slow.subarray(at, at + 1));
      // The byte must be there before the clock goes on.
      await turns(20);
      await clock.advance(1_000);
    }
    expect(await peer.farewell()).toBe('ENHANCE_YOUR_CALM');
  });

  it('is left when it does not read, though it talks', async () => {
    const clock = new FakeClock();
    const server = await started({ clock, keepalive: { everyMs: 5_000, timeoutMs: 60_000 } });
    const settings = Buffer.from([0, 4, 0, 0, 0, 0]);
    const peer = await RawPeer.to(server.server.port, settings);
    const big = echo.encodeRequest({ text: '', payload: Buffer.alloc(200_000) });
    const parts = (id: number) => {
      const whole = message(big);
      const frames = [frame(HEADERS, END_HEADERS, id, peer.request(echo.path))];
      for (let at = 0; at < whole.length; at += 16_000) {
        frames.push(frame(DATA, at + 16_000 >= whole.length ? END_STREAM : 0, id, whole.subarray(at, at + 16_000)));
      }
      return Buffer.concat(frames);
    };
    peer.write(...[1, 3, 5].map(parts));
    let served = 0;
    server.does({ echo: (request) => (served++, request) });
    await expect.poll(() => served).toBe(3);
    peer.write(...[7, 9, 11].map(parts));
    await expect.poll(() => served).toBe(6);
    for (let round = 0; round < 9; round++) {
      const pongs = () => peer.seen.filter(({ type, flags }) => type === PING && flags === ACK).length;
      const before = pongs();
      peer.write(frame(PING, 0, 0, Buffer.alloc(8)));
      await expect.poll(() => pongs() > before || peer.goAway !== undefined).toBe(true);
      await clock.advance(5_000);
    }
    expect(await peer.farewell()).toBe('ENHANCE_YOUR_CALM');
  });

  it('is left when it does not answer a PING', async () => {
    const clock = new FakeClock();
    const server = await started({ clock, keepalive: { everyMs: 1_000, timeoutMs: 500 } });
    const peer = await RawPeer.to(server.server.port);
    await expect.poll(() => peer.seen.some(({ flags, type }) => type === SETTINGS && flags === ACK)).toBe(true);
    await clock.advance(1_000);
    await clock.advance(1_000);
    await expect.poll(() => peer.seen.some(({ type }) => type === PING)).toBe(true);
    await clock.advance(500);
    expect(await peer.farewell()).toBe('ENHANCE_YOUR_CALM');
  });
});
