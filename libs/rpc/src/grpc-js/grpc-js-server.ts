import * as grpc from '@grpc/grpc-js';
import { CallContext, Code, type Timer } from '@holdfast/core';
import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { methodsOf, type RpcMethod } from '../method.js';
import { oneAnswer, statusOf, writeAnswers } from '../server/answers.js';
import { matchHandlers, type FoundHandler } from '../server/handlers.js';
import { NestRpcServer } from '../server/nest-rpc-server.js';
import { InboundCall, type ServedMethod, type ServerCall } from './inbound-call.js';
import { channelOptionsOf, listen } from './listening.js';
import { addReflection } from '../server/reflection.js';
import { RequestStream } from '../server/request-stream.js';
import { wireDefinition } from './wire-definition.js';

/** How long the server may take to close what it was told to end, in milliseconds. */
const closingMs = 500;

type UnaryCall = grpc.ServerUnaryCall<unknown, unknown>;
type WritingCall = grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type ReadingCall = grpc.ServerReadableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type Reply = grpc.sendUnaryData<unknown>;
type Failure = grpc.ServerErrorResponse;
/** Starts a handler and sees to its answer. */
type Serve = (call: ServerCall, reply: Reply) => void;

/** gRPC serving by `@grpc/grpc-js` under Nest's unchanged decorators. */
export class GrpcJsServer extends NestRpcServer {
  /** The calls that have no complete answer yet. */
  readonly #open = new Set<InboundCall>();
  #server: grpc.Server | undefined;

  protected override async open(): Promise<number> {
    try {
      return await this.#listen();
    } catch (error) {
      this.#server?.forceShutdown();
      throw error;
    }
  }

  async #listen(): Promise<number> {
    const { services, host = '127.0.0.1', port = 0, tls, reflection } = this.rpc;
    const handlers = matchHandlers(services, this.messageHandlers);
    const server = new grpc.Server(channelOptionsOf(this.rpc));
    this.#server = server;
    for (const service of services) {
      const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
      const implementation: grpc.UntypedServiceImplementation = {};
      for (const method of methodsOf(service)) {
        const found = handlers.get(method.path);
        if (!found) continue;
        definition[method.key] = wireDefinition(method, this.logger);
        implementation[method.key] = this.#serverOf(method, found, service.fullName) as grpc.UntypedHandleCall;
      }
      server.addService(definition, implementation);
    }
    this.health.addTo(server);
    const names = services.map(({ fullName }) => fullName);
    if (reflection !== undefined) await addReflection(server, reflection, names);
    return listen(server, host, port, tls);
  }

  #serverOf(method: RpcMethod<unknown, unknown>, found: FoundHandler, domain: string): Serve {
    const serve = this.#serveBy(method, found, { domain, observer: this.rpc.observe?.(method.path) });
    return (call, reply) => {
      if (!this.hooked) return serve(call, reply);
      const context = { ...call, operationId: method.key } as never;
      this.runWithProcessingHooks(context, async (runEndHook) => {
        call.once('cancelled', runEndHook);
        serve(call, reply);
      });
    };
  }

  #serveBy(method: RpcMethod<unknown, unknown>, { kind, handle }: FoundHandler, served: ServedMethod): Serve {
    if (kind === 'pt_stream') return this.#passThrough(method, handle, served);
    if (method.requestStream) {
      return method.responseStream
        ? (call) => this.#serveMany(call as WritingCall, served, (inbound) => this.#takeAll(handle, call, inbound))
        : (call, reply) => this.#serveOne(call, reply, served, true, (inbound) => this.#takeAll(handle, call, inbound));
    }
    return method.responseStream
      ? (call) => this.#serveMany(call as WritingCall, served, () => this.#takeOne(handle, call as UnaryCall))
      : (call, reply) => this.#serveOne(call, reply, served, false, () => this.#takeOne(handle, call as UnaryCall));
  }

  #takeOne(handle: MessageHandler, call: UnaryCall): unknown {
    return (handle as (...args: unknown[]) => unknown)(call.request, call.metadata, call);
  }

  #takeAll(handle: MessageHandler, call: ServerCall, inbound: InboundCall): unknown {
    const requests = new RequestStream(call as ReadingCall, inbound);
    return (handle as (...args: unknown[]) => unknown)(requests, call.metadata, call);
  }

  /** A handler with one answer. */
  #serveOne(
    call: ServerCall,
    reply: Reply,
    served: ServedMethod,
    last: boolean,
    start: (inbound: InboundCall) => unknown,
  ): void {
    const inbound = this.#begin(call, served);
    CallContext.run(inbound.context, async () => {
      try {
        let answer = await start(inbound);
        if (isObservable(answer)) answer = await oneAnswer(answer, last, inbound);
        this.#end(inbound);
        reply(null, answer);
      } catch (error) {
        this.#fail(inbound, error, served, (status) => reply(status, null));
      }
    });
  }

  /** A handler with a stream of answers. */
  #serveMany(call: WritingCall, served: ServedMethod, start: (inbound: InboundCall) => unknown): void {
    const inbound = this.#begin(call, served);
    CallContext.run(inbound.context, async () => {
      try {
        await writeAnswers(await start(inbound), call, inbound);
        this.#end(inbound);
        call.end();
      } catch (error) {
        this.#fail(inbound, error, served, (status) => call.emit('error', status));
      }
    });
  }

  /** `@GrpcStreamCall`: the handler has the call itself and answers on it. */
  #passThrough(method: RpcMethod<unknown, unknown>, handle: MessageHandler, served: ServedMethod): Serve {
    return (call, reply) => {
      const inbound = this.#begin(call, served);
      const replyOnce: Reply = (...answer) => {
        this.#end(inbound, answer[0]?.code ?? (answer[0] ? Code.UNKNOWN : Code.OK));
        reply(...answer);
      };
      call.once('cancelled', () => this.#end(inbound));
      if (method.responseStream) (call as WritingCall).once('finish', () => this.#end(inbound));
      CallContext.run(inbound.context, async () => {
        try {
          const result: unknown = await (handle as (...args: unknown[]) => unknown)(call, replyOnce);
          // What it emits goes nowhere, but its error is the error of the call.
          if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
        } catch (error) {
          this.#fail(inbound, error, served, (status) =>
            method.responseStream ? (call as WritingCall).emit('error', status) : reply(status, null),
          );
        }
      });
    };
  }

  #begin(call: ServerCall, { observer }: ServedMethod): InboundCall {
    const inbound = new InboundCall(call, this.clock, observer);
    this.#open.add(inbound);
    return inbound;
  }

  #fail(inbound: InboundCall, error: unknown, { domain }: ServedMethod, tell: (status: Failure) => unknown): void {
    const status = inbound.abandoned ? undefined : statusOf(error, domain);
    if (status) tell(status);
    this.#end(inbound, status?.code);
  }

  #end(inbound: InboundCall, code: number = Code.OK): void {
    inbound.end(code);
    this.#open.delete(inbound);
  }

  protected override async drainWithin(boundMs: number): Promise<{ aborted: number }> {
    const server = this.#server;
    if (!server) return { aborted: 0 };
    this.health.end();
    let aborted = 0;
    let closing: Timer | undefined;
    await new Promise<void>((resolve) => {
      const bound = this.clock.after(boundMs, () => {
        for (const inbound of this.#open) if (!inbound.abandoned) aborted++;
        server.forceShutdown();
        // Where a caller vanished in the middle of a call over TLS, node:http2 never says that it has closed.
        closing = this.clock.after(closingMs, resolve);
      });
      server.tryShutdown(() => {
        bound.cancel();
        closing?.cancel();
        resolve();
      });
    });
    return { aborted };
  }
}
