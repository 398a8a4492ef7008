import type { Metadata } from '@grpc/grpc-js';
import {
  EchoServiceDefinition,
  type ChatRequest,
  type ChatResponse,
  type CollectRequest,
  type CollectResponse,
  type EchoRequest,
  type EchoResponse,
  type ExpandRequest,
  type ExpandResponse,
} from '@holdfast/proto/holdfast/testing/v1/echo';
import type { Server } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { methodsOf, type RpcMethod } from '../method.js';
import type { RpcServer, RpcServerOptions } from '../server/rpc-server.js';

/** The call as Nest hands it to a handler, as far as handlers may use it on any transport. */
export interface HandlerCall {
  sendMetadata(metadata: Metadata): void;
  end(trailer?: Metadata): void;
}

/** What the four methods do; a test replaces the one that it is about. */
export interface EchoHandlers {
  echo(request: EchoRequest, metadata: Metadata, call: HandlerCall): unknown;
  collect(requests: Observable<CollectRequest> & AsyncIterable<CollectRequest>, metadata: Metadata): unknown;
  expand(request: ExpandRequest, metadata: Metadata, call: HandlerCall): unknown;
  chat(requests: Observable<ChatRequest> & AsyncIterable<ChatRequest>, metadata: Metadata): unknown;
}

export type MakeServer = (options: RpcServerOptions) => RpcServer & Pick<Server, 'addHandler'>;

function methodOf<Request, Response>(key: string): RpcMethod<Request, Response> {
  const method = methodsOf(EchoServiceDefinition).find((candidate) => candidate.key === key);
  if (!method) throw new Error(`EchoService has no ${key}`);
  return method as RpcMethod<unknown, unknown> as RpcMethod<Request, Response>;
}

export const echo = methodOf<EchoRequest, EchoResponse>('echo');
export const collect = methodOf<CollectRequest, CollectResponse>('collect');
export const expand = methodOf<ExpandRequest, ExpandResponse>('expand');
export const chat = methodOf<ChatRequest, ChatResponse>('chat');

const plainHandlers: EchoHandlers = {
  echo: ({ text, payload }) => ({ text, payload }),
  async collect(requests) {
    const texts: string[] = [];
    for await (const { text } of requests) texts.push(text);
    return { count: texts.length, texts };
  },
  async *expand({ count, size }) {
    for (let index = 0; index < count; index++) yield { index, payload: new Uint8Array(size) };
  },
  async *chat(requests) {
    for await (const { text } of requests) yield { text };
  },
};

/** A listening EchoService on the server under test, without a Nest app around it. */
export class EchoServer {
  readonly server: RpcServer;
  /** What the methods do from now on. */
  handlers: EchoHandlers = plainHandlers;

  private constructor(server: RpcServer) {
    this.server = server;
  }

  static async start(make: MakeServer, options: Partial<RpcServerOptions> = {}): Promise<EchoServer> {
    const server = make({ services: [EchoServiceDefinition], ...options });
    const started = new EchoServer(server);
    const add = (rpc: string, streaming: string, handler: (...args: never[]) => unknown) =>
      server.addHandler({ service: 'EchoService', rpc, streaming }, handler as never);
    add('Echo', 'no_stream', (...args: Parameters<EchoHandlers['echo']>) => started.handlers.echo(...args));
    add('Collect', 'rx_stream', (...args: Parameters<EchoHandlers['collect']>) => started.handlers.collect(...args));
    add('Expand', 'no_stream', (...args: Parameters<EchoHandlers['expand']>) => started.handlers.expand(...args));
    add('Chat', 'rx_stream', (...args: Parameters<EchoHandlers['chat']>) => started.handlers.chat(...args));
    await new Promise<void>((resolve, reject) => {
      server.listen((error?: unknown) => (error === undefined ? resolve() : reject(error as Error)));
    });
    server.setServing(true);
    return started;
  }

  get address(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** Lets the methods do what `handlers` says, and the rest what they do by default. */
  does(handlers: Partial<EchoHandlers>): void {
    this.handlers = { ...plainHandlers, ...handlers };
  }
}
