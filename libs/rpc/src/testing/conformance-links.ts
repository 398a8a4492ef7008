import { Code, ServiceError } from '@holdfast/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LinkFailure, type LinkState } from '../transport.js';
import { selfSigned } from './certificates.js';
import {
  all,
  call,
  connected,
  failureOf,
  Gate,
  linked,
  served,
  type TransportUnderTest,
} from './conformance-fixture.js';
import { echo, expand } from './echo-server.js';
import { Wire } from './wire.js';

const nothing = { text: '', payload: new Uint8Array() };

/** Connections: how they come, break, come back and end. */
export function describeLinks(subject: TransportUnderTest): void {
  describe('links', () => {
    it('are idle until told to connect', async () => {
      const { link } = await connected(subject);
      const states: LinkState[] = [];
      link.state.subscribe((state) => states.push(state));
      expect(link.state.value).toBe('idle');
      link.connect();
      await expect.poll(() => link.state.value).toBe('ready');
      expect(states).toEqual(['connecting', 'ready']);
      link.close();
      expect(link.state.value).toBe('closed');
    });

    it('connect by their first call', async () => {
      const { link } = await connected(subject);
      await link.unary(echo, nothing, call());
      expect(link.state.value).toBe('ready');
    });

    it('that never connected fail calls as never processed', async () => {
      const closed = await served(subject);
      await closed.server.drain(0);
      const link = linked(subject, closed.address);
      const error = await failureOf(link.unary(echo, nothing, call()));
      expect(error).toBeInstanceOf(LinkFailure);
      expect(error).toMatchObject({ processed: 'never', code: Code.UNAVAILABLE });
      expect((error as Error).message).toContain(closed.address);
      expect(link.state.value).toBe('failing');
      const stream = await failureOf(all(link.stream(expand, [{ count: 1, size: 1 }], call())));
      expect(stream).toMatchObject({ processed: 'never' });
    });

    it('that break fail their calls as perhaps processed, and come back', async () => {
      const server = await served(subject);
      const wire = await Wire.to(server.server.port);
      onTestFinished(() => wire.close());
      const link = linked(subject, wire.address);
      const arrived = new Gate();
      server.does({
        echo() {
          arrived.open();
          return new Promise(() => undefined);
        },
        async *expand() {
          yield { index: 0, payload: new Uint8Array() };
          await new Promise(() => undefined);
        },
      });
      const unary = failureOf(link.unary(echo, nothing, call()));
      const firstResponse = new Gate();
      const stream = failureOf(
        (async () => {
          for await (const _ of link.stream(expand, [{ count: 1, size: 1 }], call())) firstResponse.open();
        })(),
      );
      await Promise.all([arrived.opened, firstResponse.opened]);
      const dropped = new Gate();
      link.state.subscribe(() => dropped.open());
      wire.cut();
      for (const error of [await unary, await stream]) {
        expect(error).toBeInstanceOf(LinkFailure);
        expect(error).toMatchObject({ processed: 'maybe' });
      }
      await dropped.opened;
      server.does({});
      await expect.poll(() => link.state.value).toBe('ready');
      expect(await link.unary(echo, { ...nothing, text: 'again' }, call())).toMatchObject({ text: 'again' });
    });

    it('show a break before anything else is tried', async () => {
      const server = await served(subject);
      const wire = await Wire.to(server.server.port);
      const link = linked(subject, wire.address);
      link.connect();
      await expect.poll(() => link.state.value).toBe('ready');
      await wire.close();
      await expect.poll(() => link.state.value, { interval: 1, timeout: 500 }).not.toBe('ready');
    });

    it('come back by themselves when the peer does, on the same port', async () => {
      const first = await served(subject);
      const link = linked(subject, first.address);
      link.connect();
      await expect.poll(() => link.state.value).toBe('ready');
      await first.server.drain(0);
      await expect.poll(() => link.state.value).toBe('failing');
      await served(subject, { port: first.server.port });
      await expect.poll(() => link.state.value, { timeout: 8_000 }).toBe('ready');
      expect(await link.unary(echo, { ...nothing, text: 'back' }, call())).toMatchObject({ text: 'back' });
    });

    it('end their calls when they are closed', async () => {
      const { link, server } = await connected(subject);
      const arrived = new Gate();
      server.does({
        echo() {
          arrived.open();
          return new Promise(() => undefined);
        },
      });
      const answer = failureOf(link.unary(echo, nothing, call()));
      await arrived.opened;
      link.close();
      expect(await answer).toMatchObject({ processed: 'maybe' });
      expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject({ processed: 'never' });
    });

    it('that drain let their calls end and take no more', async () => {
      const { link, server } = await connected(subject);
      const [arrived, gate] = [new Gate(), new Gate()];
      server.does({
        async echo(request) {
          arrived.open();
          await gate.opened;
          return request;
        },
      });
      const answer = link.unary(echo, { ...nothing, text: 'last' }, call());
      await arrived.opened;
      const drained = link.drain();
      expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject({ processed: 'never' });
      expect(link.state.value).not.toBe('closed');
      gate.open();
      expect(await answer).toMatchObject({ text: 'last' });
      await drained;
      expect(link.state.value).toBe('closed');
      await link.drain();
    });
  });

  describe('servers', () => {
    it('that drain let their calls end and take no more', async () => {
      const { link, server } = await connected(subject);
      const [arrived, gate] = [new Gate(), new Gate()];
      server.does({
        async echo(request) {
          arrived.open();
          await gate.opened;
          return request;
        },
      });
      const answer = link.unary(echo, { ...nothing, text: 'last' }, call());
      await arrived.opened;
      const drained = server.server.drain(5_000);
      await expect.poll(() => link.state.value).toBe('failing');
      expect(await failureOf(link.unary(echo, nothing, call()))).toMatchObject({ processed: 'never' });
      gate.open();
      expect(await answer).toMatchObject({ text: 'last' });
      expect(await drained).toEqual({ aborted: 0 });
    });

    it('end what is left when their bound is over, and tell how much it was', async () => {
      const { link, server } = await connected(subject);
      const arrived = new Gate();
      server.does({
        echo() {
          arrived.open();
          return new Promise(() => undefined);
        },
      });
      const answer = failureOf(link.unary(echo, nothing, call()));
      await arrived.opened;
      expect(await server.server.drain(50)).toEqual({ aborted: 1 });
      expect(await answer).toMatchObject({ processed: 'maybe' });
    });

    it('that send a caller away with GOAWAY cost no call', async () => {
      const { link, server } = await connected(subject, { maxConnectionAgeMs: 100 });
      server.does({ echo: async (request) => (await new Promise((resolve) => setImmediate(resolve)), request) });
      const seen = { connections: 0 };
      link.state.subscribe((state) => (seen.connections += state === 'ready' ? 1 : 0));
      const failures: unknown[] = [];
      const callUntilMoved = async () => {
        while (seen.connections < 3) await link.unary(echo, nothing, call()).catch((error) => failures.push(error));
      };
      await Promise.all(Array.from({ length: 8 }, callUntilMoved));
      // Calls that crossed the GOAWAY may have to go again, but all of them can.
      expect(failures.filter((error) => !(error instanceof LinkFailure && error.processed === 'never'))).toEqual([]);
    });

    it('refuse a port that is taken, in one sentence', async () => {
      const { port } = (await served(subject)).server;
      expect(await failureOf(served(subject, { port }))).toMatchObject({
        name: 'StartupError',
        message: `GRPC_PORT ${port} on 127.0.0.1 is already in use; choose another or 0 for any free port.`,
      });
    });
  });

  describe('TLS', () => {
    it('takes a server whose certificate is trusted and named right', async () => {
      const { cert, key } = selfSigned('user-service.test');
      const server = await served(subject, { tls: { cert, key } });
      const link = linked(subject, server.address, { tls: { ca: cert, serverName: 'user-service.test' } });
      expect(await link.unary(echo, { ...nothing, text: 'safe' }, call())).toMatchObject({ text: 'safe' });

      for (const tls of [{ ca: cert, serverName: 'other.test' }, { serverName: 'user-service.test' }]) {
        const error = await failureOf(linked(subject, server.address, { tls }).unary(echo, nothing, call()));
        expect(error).toMatchObject({ processed: 'never' });
      }
    });

    it('asks callers for their certificate where it is told to', async () => {
      const { cert, key } = selfSigned('user-service.test');
      const server = await served(subject, { tls: { cert, key, ca: cert } });
      const tls = { ca: cert, serverName: 'user-service.test' };
      const known = linked(subject, server.address, { tls: { ...tls, cert, key } });
      expect(await known.unary(echo, { ...nothing, text: 'known' }, call())).toMatchObject({ text: 'known' });
      const error = await failureOf(linked(subject, server.address, { tls }).unary(echo, nothing, call()));
      expect(error).toBeInstanceOf(ServiceError);
    });
  });
}
