import { createServer, type AddressInfo } from 'node:net';
import { FakeClock } from '@holdfast/testing';
import { expect, describe, it, onTestFinished } from 'vitest';
import { call, failureOf } from '../../testing/conformance-fixture.js';
import { echo } from '../../testing/echo-server.js';
import { frame, RawPeer } from '../../testing/raw-peer.js';
import type { LinkState } from '../../transport.js';
import { Flag, FrameType } from '../http2/frames.js';
import { H2Transport } from './h2-transport.js';

/** A link by a clock that stands still, to a server that says no more than its settings. */
async function silent() {
  const clock = new FakeClock();
  const peers: RawPeer[] = [];
  const listener = createServer((socket) => {
    const peer = new RawPeer(socket);
    peer.isServer = true;
    peer.write(frame(FrameType.SETTINGS, 0, 0));
    peers.push(peer);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listener.close());
  const address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const link = new H2Transport({ clock, keepalive: { everyMs: 1_000, timeoutMs: 500 } }).connect(address);
  onTestFinished(() => link.close());
  link.connect();
  await expect.poll(() => link.state.value).toBe('ready');
  const peer = peers[0]!;
  const pings = () => peer.seen.filter(({ type, flags }) => type === FrameType.PING && flags === 0);
  // The first look finds that the settings have come.
  await clock.advance(1_000);
  expect(pings()).toHaveLength(0);
  return { clock, link, peer, pings };
}

describe('a silent connection', () => {
  it('is asked for a sign of life, and held while it gives one', async () => {
    const { clock, link, peer, pings } = await silent();
    const states: LinkState[] = [];
    link.state.subscribe((state) => states.push(state));
    for (let asked = 1; asked <= 10; asked++) {
      await clock.advance(1_000);
      await expect.poll(() => pings().length).toBe(asked);
      peer.write(frame(FrameType.PING, Flag.ACK, 0, pings().at(-1)!.payload));
      // The answer to a ping of the peer's shows that its own answer has been read.
      const [pong, said] = [Buffer.from(`number ${asked % 10}`), peer.seen.length];
      peer.write(frame(FrameType.PING, 0, 0, pong));
      await expect.poll(() => peer.seen.slice(said).some(({ payload }) => payload.equals(pong))).toBe(true);
      await clock.advance(500);
    }
    expect(states).toEqual([]);
  });

  it('is given up without one, with the calls on it', async () => {
    const { clock, link, pings } = await silent();
    const states: LinkState[] = [];
    link.state.subscribe((state) => states.push(state));
    const answer = failureOf(link.unary(echo, { text: '', payload: new Uint8Array() }, call()));
    await clock.advance(1_000);
    await expect.poll(() => pings().length).toBe(1);
    await clock.advance(499);
    expect(states).toEqual([]);
    await clock.advance(1);
    expect(await answer).toMatchObject({ processed: 'maybe', message: expect.stringContaining('answers no PING') });
    // Another one is tried at once.
    expect(states[0]).toBe('connecting');
  });
});
