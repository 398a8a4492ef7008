import { once } from 'node:events';
import { CallContext } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Gate } from '../../testing/conformance-fixture.js';
import { echo, EchoServer } from '../../testing/echo-server.js';
import { frame, RawPeer } from '../../testing/raw-peer.js';
import type { RpcServerOptions } from '../../server/rpc-server.js';
import { Flag, FrameType, max31Bits } from '../http2/frames.js';
import { H2Server } from './h2-server.js';

const [hello, stay] = ['hello', 'stay'].map((text) => echo.encodeRequest({ text, payload: new Uint8Array() })) as [
  Buffer,
  Buffer,
];

describe('a server that goes away', () => {
  it('serves what is on its way, names the last call, and ignores what comes later', async () => {
    const server = await EchoServer.start((options) => new H2Server(options));
    onTestFinished(async () => void (await server.server.drain(0)));
    const [arrived, gate] = [new Gate(), new Gate()];
    let served = 0;
    server.does({
      async echo(request) {
        served++;
        arrived.open();
        await gate.opened;
        return request;
      },
    });
    const peer = await RawPeer.to(server.server.port);
    peer.write(peer.call(1, echo.path, hello));
    await arrived.opened;
    const drained = server.server.drain(5_000);
    const farewells = () =>
      peer.seen.filter(({ type }) => type === FrameType.GOAWAY).map(({ payload }) => payload.readUInt32BE(0));
    const ping = () => peer.seen.find(({ type, flags }) => type === FrameType.PING && flags === 0);
    await expect.poll(ping).toBeDefined();
    expect(farewells()).toEqual([max31Bits]);

    // This call crossed the first farewell.
    peer.write(peer.call(3, echo.path, hello), frame(FrameType.PING, Flag.ACK, 0, ping()!.payload));
    await expect.poll(farewells).toEqual([max31Bits, 3]);
    peer.write(peer.call(5, echo.path, hello), frame(FrameType.PING, 0, 0, Buffer.from('has come')));
    await expect.poll(() => peer.seen.some(({ payload }) => payload.toString() === 'has come')).toBe(true);
    gate.open();
    expect(await drained).toEqual({ aborted: 0 });
    await expect.poll(() => peer.closed).toBe(true);
    const answered = peer.seen.filter(({ type }) => type === FrameType.DATA).map(({ streamId }) => streamId);
    expect([served, answered]).toEqual([2, [1, 3]]);
  });

  it('gives up what has not ended in time, tells it why, and counts no other', async () => {
    const server = await EchoServer.start((options) => new H2Server(options));
    const arrived = new Gate();
    let told: unknown;
    server.does({
      echo: async (request) => {
        if (request.text !== 'stay') return request;
        const { signal } = CallContext.current()!;
        arrived.open();
        await once(signal, 'abort');
        told = signal.reason;
        return request;
      },
    });
    const peer = await RawPeer.to(server.server.port);
    peer.write(peer.call(1, echo.path, hello));
    await expect.poll(() => peer.seen.some(({ type }) => type === FrameType.DATA)).toBe(true);
    peer.write(peer.call(3, echo.path, stay));
    await arrived.opened;
    expect(await server.server.drain(10)).toEqual({ aborted: 1 });
    await expect.poll(() => told).toMatchObject({ message: 'The server is leaving.' });
  });

  it('does so by the age of each connection, give or take a tenth, and lets calls end', async () => {
    const clock = new FakeClock();
    const keepalive = { everyMs: 600_000, timeoutMs: 600_000 };
    const make = (options: RpcServerOptions) =>
      new H2Server({ ...options, clock, keepalive, maxConnectionAgeMs: 60_000 });
    const server = await EchoServer.start(make);
    onTestFinished(async () => void (await server.server.drain(0)));
    const [arrived, gate] = [new Gate(), new Gate()];
    server.does({ echo: async (request) => (arrived.open(), await gate.opened, request) });
    const peer = await RawPeer.to(server.server.port);
    peer.write(peer.call(1, echo.path, hello));
    await arrived.opened;
    await clock.advance(53_900);
    peer.write(frame(FrameType.PING, 0, 0, Buffer.from('too soon')));
    await expect.poll(() => peer.seen.some(({ payload }) => payload.toString() === 'too soon')).toBe(true);
    expect(peer.goAway).toBeUndefined();
    await clock.advance(12_200);
    await expect.poll(() => peer.goAway).toBe('NO_ERROR');
    gate.open();
    await expect.poll(() => peer.seen.some(({ type }) => type === FrameType.DATA)).toBe(true);
    // Nobody answers the ping: after a second it closes all the same.
    await clock.advance(1_000);
    await expect.poll(() => peer.closed).toBe(true);
  });
});
