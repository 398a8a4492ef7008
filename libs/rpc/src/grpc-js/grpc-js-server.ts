import * as grpc from '@grpc/grpc-js';
import { CallContext, systemClock, type Clock } from '@holdfast/core';
import { ServerGrpc, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { methodsOf, type RpcMethod } from '../method.js';
import type { RpcServer, RpcServerOptions } from '../server/rpc-server.js';
import { oneAnswer, statusOf, writeAnswers } from './answers.js';
import { matchHandlers, type FoundHandler } from './handlers.js';
import { HealthService } from './health.js';
import { InboundCall, type ServerCall } from './inbound-call.js';
import { channelOptionsOf, listen } from './listening.js';
import { addReflection } from './reflection.js';
import { RequestStream } from './request-stream.js';

const defaultDrainMs = 10_000;

type UnaryCall = grpc.ServerUnaryCall<unknown, unknown>;
type WritingCall = grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type ReadingCall = grpc.ServerReadableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type Reply = grpc.sendUnaryData<unknown>;
/** Starts a handler and sees to its answer. */
type Serve = (call: ServerCall, reply: Reply) => void;

/**
 * gRPC serving by `@grpc/grpc-js` under Nest's unchanged decorators. It extends Nest's own gRPC strategy only to be
 * taken for one (Nest gives handlers of that class call and metadata as arguments); what it does per call is its own.
 */
export class GrpcJsServer extends ServerGrpc implements RpcServer {
  readonly #options: RpcServerOptions;
  readonly #clock: Clock;
  readonly #health: HealthService;
  /** The calls that have no complete answer yet. */
  readonly #open = new Set<InboundCall>();
  #server: grpc.Server | undefined;
  #port = 0;
  #hooked = false;
  #drained: Promise<{ aborted: number }> | undefined;

  constructor(options: RpcServerOptions) {
    super({ package: [] });
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#health = new HealthService(options.services.map(({ fullName }) => fullName));
  }

  get port(): number {
    return this.#port;
  }

  override async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.#listen();
    } catch (error) {
      this.#server?.forceShutdown();
      return callback(error);
    }
    callback();
  }

  setServing(serving: boolean): void {
    if (!this.#drained) this.#health.setServing(serving);
  }

  drain(boundMs: number): Promise<{ aborted: number }> {
    return (this.#drained ??= this.#drain(boundMs));
  }

  override async close(): Promise<void> {
    await this.drain(this.#options.drainMs ?? defaultDrainMs);
  }

  override setOnProcessingStartHook(hook: Parameters<ServerGrpc['setOnProcessingStartHook']>[0]): void {
    this.#hooked = true;
    super.setOnProcessingStartHook(hook);
  }

  override setOnProcessingEndHook(hook: Parameters<ServerGrpc['setOnProcessingEndHook']>[0]): void {
    this.#hooked = true;
    super.setOnProcessingEndHook(hook);
  }

  async #listen(): Promise<void> {
    const { services, host = '127.0.0.1', port = 0, tls, reflection } = this.#options;
    const handlers = matchHandlers(services, this.messageHandlers);
    const server = new grpc.Server(channelOptionsOf(this.#options));
    this.#server = server;
    for (const service of services) {
      const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
      const implementation: grpc.UntypedServiceImplementation = {};
      for (const method of methodsOf(service)) {
        const found = handlers.get(method.path);
        if (!found) continue;
        definition[method.key] = this.#definitionOf(method);
        implementation[method.key] = this.#serverOf(method, found, service.fullName) as grpc.UntypedHandleCall;
      }
      server.addService(definition, implementation);
    }
    this.#health.addTo(server);
    const names = services.map(({ fullName }) => fullName);
    if (reflection !== undefined) await addReflection(server, reflection, names);
    this.#port = await listen(server, host, port, tls);
  }

  #definitionOf(method: RpcMethod<unknown, unknown>): grpc.MethodDefinition<unknown, unknown> {
    return {
      path: method.path,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: method.encodeRequest,
      requestDeserialize: method.decodeRequest,
      responseDeserialize: method.decodeResponse,
      responseSerialize: (answer) => {
        try {
          return method.encodeResponse(answer);
        } catch (error) {
          // grpc-js tells the caller no more than that it failed, and nobody else anything.
          this.logger.error(`The answer of ${method.path} does not fit its type: ${String(error)}`);
          throw error;
        }
      },
    };
  }

  #serverOf(method: RpcMethod<unknown, unknown>, found: FoundHandler, domain: string): Serve {
    const serve = this.#serveBy(method, found, domain);
    return (call, reply) => {
      if (!this.#hooked) return serve(call, reply);
      const context = { ...call, operationId: method.key } as never;
      this.runWithProcessingHooks(context, async (runEndHook) => {
        call.once('cancelled', runEndHook);
        serve(call, reply);
      });
    };
  }

  #serveBy(method: RpcMethod<unknown, unknown>, { kind, handle }: FoundHandler, domain: string): Serve {
    if (kind === 'pt_stream') return this.#passThrough(method, handle, domain);
    if (method.requestStream) {
      return method.responseStream
        ? (call) => this.#serveMany(call as WritingCall, domain, (inbound) => this.#takeAll(handle, call, inbound))
        : (call, reply) => this.#serveOne(call, reply, domain, true, (inbound) => this.#takeAll(handle, call, inbound));
    }
    return method.responseStream
      ? (call) => this.#serveMany(call as WritingCall, domain, () => this.#takeOne(handle, call as UnaryCall))
      : (call, reply) => this.#serveOne(call, reply, domain, false, () => this.#takeOne(handle, call as UnaryCall));
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
    domain: string,
    last: boolean,
    start: (inbound: InboundCall) => unknown,
  ): void {
    const inbound = this.#begin(call);
    CallContext.run(inbound.context, async () => {
      try {
        let answer = await start(inbound);
        if (isObservable(answer)) answer = await oneAnswer(answer, last, inbound);
        this.#end(inbound);
        reply(null, answer);
      } catch (error) {
        if (!inbound.abandoned) reply(statusOf(error, domain), null);
        this.#end(inbound);
      }
    });
  }

  /** A handler with a stream of answers. */
  #serveMany(call: WritingCall, domain: string, start: (inbound: InboundCall) => unknown): void {
    const inbound = this.#begin(call);
    CallContext.run(inbound.context, async () => {
      try {
        await writeAnswers(await start(inbound), call, inbound);
        this.#end(inbound);
        call.end();
      } catch (error) {
        if (!inbound.abandoned) call.emit('error', statusOf(error, domain));
        this.#end(inbound);
      }
    });
  }

  /** `@GrpcStreamCall`: the handler has the call itself and answers on it. */
  #passThrough(method: RpcMethod<unknown, unknown>, handle: MessageHandler, domain: string): Serve {
    return (call, reply) => {
      const inbound = this.#begin(call);
      const replyOnce: Reply = (...answer) => {
        this.#end(inbound);
        reply(...answer);
      };
      call.once('cancelled', () => this.#open.delete(inbound));
      if (method.responseStream) (call as WritingCall).once('finish', () => this.#end(inbound));
      CallContext.run(inbound.context, async () => {
        try {
          const result: unknown = await (handle as (...args: unknown[]) => unknown)(call, replyOnce);
          // What it emits goes nowhere, but its error is the error of the call.
          if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
        } catch (error) {
          if (inbound.abandoned) return;
          if (method.responseStream) (call as WritingCall).emit('error', statusOf(error, domain));
          else reply(statusOf(error, domain), null);
          this.#end(inbound);
        }
      });
    };
  }

  #begin(call: ServerCall): InboundCall {
    const inbound = new InboundCall(call, this.#clock);
    this.#open.add(inbound);
    return inbound;
  }

  #end(inbound: InboundCall): void {
    if (!inbound.abandoned) inbound.answered = true;
    this.#open.delete(inbound);
  }

  async #drain(boundMs: number): Promise<{ aborted: number }> {
    const server = this.#server;
    if (!server) return { aborted: 0 };
    this.#health.end();
    let aborted = 0;
    await new Promise<void>((resolve) => {
      const bound = this.#clock.after(boundMs, () => {
        for (const inbound of this.#open) if (!inbound.abandoned) aborted++;
        server.forceShutdown();
      });
      server.tryShutdown(() => {
        bound.cancel();
        resolve();
      });
    });
    return { aborted };
  }
}
