import { systemClock } from '@holdfast/core';
import { expect, onTestFinished } from 'vitest';
import type { RpcServerOptions } from '../server/rpc-server.js';
import type { TransportOptions } from '../transport-options.js';
import type { Link, OutgoingCall, Transport } from '../transport.js';
import { EchoServer, type MakeServer } from './echo-server.js';

/** One side or both of a transport, to be held to what all transports promise. */
export interface TransportUnderTest {
  /** The calling side. */
  transport(options: TransportOptions): Transport;
  /** The serving side, not yet listening; the suite adds the handlers itself. */
  readonly server: MakeServer;
  /** Whether the server can pack its answers. @default false */
  readonly packsAnswers?: boolean;
}

export interface Pair {
  readonly server: EchoServer;
  readonly link: Link;
}

/** A server and a link to it, both gone when the test is. */
export async function connected(
  subject: TransportUnderTest,
  serverOptions: Partial<RpcServerOptions> = {},
  transportOptions: TransportOptions = {},
): Promise<Pair> {
  const server = await served(subject, serverOptions);
  return { server, link: linked(subject, server.address, transportOptions) };
}

export async function served(
  subject: TransportUnderTest,
  options: Partial<RpcServerOptions> = {},
): Promise<EchoServer> {
  const server = await EchoServer.start(subject.server, options);
  onTestFinished(async () => void (await server.server.drain(0)));
  return server;
}

export function linked(subject: TransportUnderTest, address: string, options: TransportOptions = {}): Link {
  const link = subject.transport(options).connect(address);
  onTestFinished(() => link.close());
  return link;
}

/** A call without deadline, metadata and signal, but for what `fields` says. */
export function call(fields: Partial<OutgoingCall> = {}): OutgoingCall {
  return { metadata: {}, deadline: Infinity, ...fields };
}

export function inMs(ms: number): number {
  return systemClock.now() + ms;
}

export async function all<T>(responses: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const response of responses) result.push(response);
  return result;
}

/** The error that `promise` rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`it resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

/** Waits until `count` has stopped to grow, and gives it. */
export async function settled(count: () => number): Promise<number> {
  let before = -1;
  await expect
    .poll(
      () => {
        const still = before === count();
        before = count();
        return still;
      },
      { interval: 150, timeout: 10_000 },
    )
    .toBe(true);
  return count();
}

/** Something to wait for that a test opens by hand. */
export class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => undefined;

  constructor() {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }
}
