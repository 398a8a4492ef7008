import * as grpc from '@grpc/grpc-js';
import { CallContext, Code, systemClock, type Clock, type Timer } from '@holdfast/core';
import { ServerGrpc, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { methodsOf, type RpcMethod } from '../method.js';
import type { RpcServer, RpcServerOptions } from '../server/rpc-server.js';
import { oneAnswer, statusOf, writeAnswers } from '../server/answers.js';
import { matchHandlers, type FoundHandler } from '../server/handlers.js';
import { HealthService } from '../server/health.js';
import { InboundCall, type ServedMethod, type ServerCall } from './inbound-call.js';
import { channelOptionsOf, listen } from './listening.js';
import { addReflection } from '../server/reflection.js';
import { RequestStream } from '../server/request-stream.js';
import { wireDefinition } from './wire-definition.js';

const defaultDrainMs = 10_000;
/** How long the server may take to close what it was told to end, in milliseconds. */
const closingMs = 500;

type UnaryCall = grpc.ServerUnaryCall<unknown, unknown>;
type WritingCall = grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type ReadingCall = grpc.ServerReadableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;
type Reply = grpc.sendUnaryData<unknown>;
type Failure = grpc.ServerErrorResponse;
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
        definition[method.key] = wireDefinition(method, this.logger);
        implementation[method.key] = this.#serverOf(method, found, service.fullName) as grpc.UntypedHandleCall;
      }
      server.addService(definition, implementation);
    }
    this.#health.addTo(server);
    const names = services.map(({ fullName }) => fullName);
    if (reflection !== undefined) await addReflection(server, reflection, names);
    this.#port = await listen(server, host, port, tls);
  }

  #serverOf(method: RpcMethod<unknown, unknown>, found: FoundHandler, domain: string): Serve {
    const serve = this.#serveBy(method, found, { domain, observer: this.#options.observe?.(method.path) });
    return (call, reply) => {
      if (!this.#hooked) return serve(call, reply);
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
    const inbound = new InboundCall(call, this.#clock, observer);
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

  async #drain(boundMs: number): Promise<{ aborted: number }> {
    const server = this.#server;
    if (!server) return { aborted: 0 };
    this.#health.end();
    let aborted = 0;
    let closing: Timer | undefined;
    await new Promise<void>((resolve) => {
      const bound = this.#clock.after(boundMs, () => {
        for (const inbound of this.#open) if (!inbound.abandoned) aborted++;
        server.forceShutdown();
        // Where a caller vanished in the middle of a call over TLS, node:http2 never says that it has closed.
        closing = this.#clock.after(closingMs, resolve);
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
