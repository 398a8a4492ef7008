import { Cancelled } from '@holdfast/core';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { all, call, connected, Gate, inMs, type Pair } from '../testing/conformance-fixture.js';
import { echo, expand } from '../testing/echo-server.js';
import { Wire } from '../testing/wire.js';
import { H2Transport } from './client/h2-transport.js';
import { settlements } from './grpc/settlements.js';
import { H2Server } from './server/h2-server.js';

const h2 = {
  transport: (options: ConstructorParameters<typeof H2Transport>[0]) => new H2Transport(options),
  server: (options: ConstructorParameters<typeof H2Server>[0]) => new H2Server(options),
};
const nothing = { text: '', payload: new Uint8Array() };
const endless = { count: 1_000_000, size: 1_000 };

/** Two ends at once, in every combination that can be arranged; each tells how the call ended. */
const races: Record<string, (pair: Pair) => Promise<unknown>> = {
  'its listener of headers cancels it': ({ link }) => {
    const controller = new AbortController();
    const outgoing = call({ signal: controller.signal, onHeader: () => controller.abort() });
    return link.unary(echo, nothing, outgoing);
  },
  'its listener of trailers cancels it': ({ link }) => {
    const controller = new AbortController();
    const outgoing = call({ signal: controller.signal, onTrailer: () => controller.abort() });
    return link.unary(echo, nothing, outgoing);
  },
  'its listener of trailers cancels it, a stream': ({ link }) => {
    const controller = new AbortController();
    const outgoing = call({ signal: controller.signal, onTrailer: () => controller.abort() });
    return all(link.stream(expand, [{ count: 1, size: 1 }], outgoing));
  },
  'its listener of trailers closes the link': ({ link }) =>
    link.unary(echo, nothing, call({ onTrailer: () => link.close() })),
  'its deadline passes while the answer comes': ({ link }) =>
    all(link.stream(expand, [endless], call({ deadline: inMs(30) }))),
  'its caller leaves while answers wait for a window': async ({ link }) => {
    for await (const _ of link.stream(expand, [endless], call())) break;
  },
  'its handler answers after the caller left': async ({ link, server }) => {
    const [arrived, left] = [new Gate(), new Gate()];
    server.does({
      async echo(request) {
        arrived.open();
        await left.opened;
        return request;
      },
    });
    const controller = new AbortController();
    const answer = link.unary(echo, nothing, call({ signal: controller.signal })).catch((error: unknown) => error);
    await arrived.opened;
    controller.abort();
    expect(await answer).toBeInstanceOf(Cancelled);
    left.open();
  },
  'the server leaves while it is answered': async ({ link, server }) => {
    const reading = all(link.stream(expand, [endless], call()));
    await expect.poll(() => settlements.begun).toBeGreaterThan(1);
    return Promise.all([reading, server.server.drain(0)]);
  },
  'the connection is cut under hundreds': async ({ server }) => {
    const wire = await Wire.to(server.server.port);
    onTestFinished(() => wire.close());
    const link = new H2Transport().connect(wire.address);
    onTestFinished(() => link.close());
    const calls = Array.from({ length: 300 }, (_, n) =>
      n % 3 === 0 ? all(link.stream(expand, [{ count: 50, size: 100 }], call())) : link.unary(echo, nothing, call()),
    );
    await Promise.race(calls);
    wire.cut();
    return Promise.allSettled(calls);
  },
};

describe('a call ends exactly once', () => {
  afterEach(() => {
    settlements.begun = settlements.ended = settlements.again = 0;
  });

  it.each(Object.entries(races))('though %s', async (_, race) => {
    const pair = await connected(h2);
    await race(pair).catch(() => undefined);
    pair.link.close();
    await pair.server.server.drain(0);
    expect(settlements.begun).toBeGreaterThan(1);
    await expect.poll(() => settlements.ended).toBe(settlements.begun);
    expect(settlements.again).toBe(0);
  });
});
