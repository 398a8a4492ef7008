import { describe, expect, it, onTestFinished } from 'vitest';
import { all, call, connected, failureOf, Gate, served } from '../../testing/conformance-fixture.js';
import { echo, expand } from '../../testing/echo-server.js';
import { Wire } from '../../testing/wire.js';
import type { LinkState } from '../../transport.js';
import { H2Server } from '../server/h2-server.js';
import type { ServerCall } from '../server/server-call.js';
import { H2Transport } from './h2-transport.js';

const three = {
  transport: (options: object) => new H2Transport({ ...options, connections: 3 }),
  server: (options: ConstructorParameters<typeof H2Server>[0]) => new H2Server(options),
};
const nothing = { text: '', payload: new Uint8Array() };

describe('several connections to one peer', () => {
  it('share the calls, the least busy first', async () => {
    const { link, server } = await connected(three);
    let peers: string[] = [];
    let gate = new Gate();
    server.does({
      async echo(request, _, handlerCall) {
        peers.push((handlerCall as unknown as ServerCall).getPeer());
        await gate.opened;
        return request;
      },
    });
    /** How many of 30 calls at a time each connection carries. */
    const shares = async () => {
      [peers, gate] = [[], new Gate()];
      const answers = Array.from({ length: 30 }, () => link.unary(echo, nothing, call()));
      await expect.poll(() => peers.length).toBe(30);
      gate.open();
      await Promise.all(answers);
      return [...new Set(peers)].map((peer) => peers.filter((one) => one === peer).length);
    };
    // The first of them goes as soon as one connection is there.
    await expect.poll(shares).toEqual([10, 10, 10]);
  });

  it('are one link in what they show, and end together', async () => {
    const { link } = await connected(three);
    const states: LinkState[] = [];
    link.state.subscribe((state) => states.push(state));
    expect(await all(link.stream(expand, [{ count: 3, size: 10 }], call()))).toHaveLength(3);
    await link.drain();
    expect([...states.slice(0, 2), states.at(-1)]).toEqual(['connecting', 'ready', 'closed']);
    expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject({ processed: 'never' });
  });

  it('come back after all of them were cut', async () => {
    const server = await served(three);
    const wire = await Wire.to(server.server.port);
    onTestFinished(() => wire.close());
    const link = three.transport({}).connect(wire.address);
    onTestFinished(() => link.close());
    await link.unary(echo, nothing, call());
    const states: LinkState[] = [];
    link.state.subscribe((state) => states.push(state));
    wire.cut();
    await expect.poll(() => states, { timeout: 5_000 }).toEqual(['connecting', 'ready']);
    await link.unary(echo, nothing, call());
  });
});
