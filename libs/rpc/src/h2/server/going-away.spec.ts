import { describe, expect, it, onTestFinished } from 'vitest';
import { Gate } from '../../testing/conformance-fixture.js';
import { echo, EchoServer } from '../../testing/echo-server.js';
import { frame, RawPeer } from '../../testing/raw-peer.js';
import { Flag, FrameType, max31Bits } from '../http2/frames.js';
import { H2Server } from './h2-server.js';

const hello = echo.encodeRequest({ text: 'hello', payload: new Uint8Array() });

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
});
