import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Cancelled, systemClock, TimerWheel, type Clock } from '@holdfast/core';
import { ServerGrpc } from '@nestjs/microservices';
import { methodsOf } from '../../method.js';
import { cannotListen } from '../../server/cannot-listen.js';
import { matchHandlers } from '../../server/handlers.js';
import { HealthService } from '../../server/health.js';
import { addReflection } from '../../server/reflection.js';
import type { RpcServer, RpcServerOptions } from '../../server/rpc-server.js';
import { defaultMaxMessageBytes, defaultServerKeepalive, type Compression } from '../../transport-options.js';
import { ErrorCode } from '../http2/frames.js';
import { handlerRoute } from './handler-route.js';
import type { Route } from './route.js';
import { ServerCall, type CallHost } from './server-call.js';
import { ServerConnection, type ConnectionHost } from './server-connection.js';
import { StockServices } from './stock-services.js';

const defaultDrainMs = 10_000;
/** More calls than this over one connection wait in the caller; what they hold is bounded by it. */
const defaultMaxStreams = 1_000;
/** How long a TLS handshake may take, in milliseconds. */
const tlsHandshakeMs = 5_000;

/**
 * gRPC serving over our own HTTP/2 (`docs/transport.md`) under Nest's unchanged decorators. It extends Nest's own gRPC
 * strategy only to be taken for one (Nest gives handlers of that class call and metadata as arguments).
 */
export class H2Server extends ServerGrpc implements RpcServer, CallHost, ConnectionHost {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly maxMessageBytes: number;
  readonly compression: Compression;
  readonly #options: RpcServerOptions;
  readonly #health: HealthService;
  readonly #routes = new Map<string, Route>();
  readonly #connections = new Set<ServerConnection>();
  /** The calls that have no complete answer yet. */
  readonly #open = new Set<ServerCall>();
  #listener: Server | undefined;
  #port = 0;
  #hooked = false;
  #drained: Promise<{ aborted: number }> | undefined;
  #allEnded: (() => void) | undefined;

  constructor(options: RpcServerOptions) {
    super({ package: [] });
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.wheel = new TimerWheel(this.clock);
    this.maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.compression = options.compression ?? 'none';
    this.#health = new HealthService(options.services.map(({ fullName }) => fullName));
  }

  get port(): number {
    return this.#port;
  }

  /** What waits in this process over all connections, in bytes: requests for handlers, and answers for callers to take. */
  get queued(): { readonly requests: number; readonly answers: number } {
    let [requests, answers] = [0, 0];
    for (const { untaken, unsent } of this.#connections) {
      requests += untaken;
      answers += unsent;
    }
    return { requests, answers };
  }

  override async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.#addRoutes();
      await this.#listen();
    } catch (error) {
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

  routeOf(path: string): Route | undefined {
    return this.#routes.get(path);
  }

  accept(connection: ServerConnection): ServerCall {
    return new ServerCall(this, connection);
  }

  begun(call: ServerCall): void {
    this.#open.add(call);
  }

  over(call: ServerCall): void {
    this.#open.delete(call);
  }

  onEnded(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#allEnded?.();
  }

  async #addRoutes(): Promise<void> {
    const { services, reflection, observe } = this.#options;
    const handlers = matchHandlers(services, this.messageHandlers);
    for (const service of services) {
      for (const method of methodsOf(service)) {
        const found = handlers.get(method.path);
        if (!found) continue;
        const route = handlerRoute(method, found, service.fullName, observe?.(method.path));
        this.#routes.set(method.path, this.#hookable(route, method.key));
      }
    }
    const stock = new StockServices();
    this.#health.addTo(stock.server);
    const names = services.map(({ fullName }) => fullName);
    if (reflection !== undefined) await addReflection(stock.server, reflection, names);
    for (const [path, route] of stock.routes) this.#routes.set(path, route);
  }

  #hookable(route: Route, operationId: string): Route {
    const serve = (call: ServerCall) => {
      if (!this.#hooked) return route.serve(call);
      const context = { metadata: call.metadata, request: call.request, operationId } as never;
      this.runWithProcessingHooks(context, async (runEndHook) => {
        call.onAbandoned(runEndHook);
        route.serve(call);
      });
    };
    return { ...route, serve };
  }

  #listen(): Promise<void> {
    const { host = '127.0.0.1', port = 0, tls } = this.#options;
    const listener = tls
      ? createTlsServer({
          cert: tls.cert,
          key: tls.key,
          ALPNProtocols: ['h2'],
          handshakeTimeout: tlsHandshakeMs,
          ...(tls.ca && { ca: tls.ca, requestCert: true, rejectUnauthorized: true }),
        })
      : createServer({ noDelay: true });
    this.#listener = listener;
    listener.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => this.#connect(socket));
    return new Promise((resolve, reject) => {
      listener.once('error', (error) => reject(cannotListen(host, port, error)));
      listener.listen({ host, port }, () => {
        this.#port = (listener.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  #connect(socket: Socket): void {
    const { keepalive, maxConcurrentStreams, maxConnectionAgeMs } = this.#options;
    const connection = new ServerConnection(socket, this, {
      clock: this.clock,
      keepalive: keepalive ?? defaultServerKeepalive,
      maxConcurrentStreams: maxConcurrentStreams ?? defaultMaxStreams,
      maxAgeMs: maxConnectionAgeMs,
    });
    if (this.#drained) connection.end(ErrorCode.NO_ERROR, new Error('the server is leaving'));
    else this.#connections.add(connection);
  }

  async #drain(boundMs: number): Promise<{ aborted: number }> {
    this.#health.end();
    this.#listener?.close();
    let aborted = 0;
    await new Promise<void>((resolve) => {
      if (this.#connections.size === 0) return resolve();
      const bound = this.clock.after(boundMs, () => {
        aborted = this.#open.size;
        const reason = new Cancelled('The server is leaving.');
        for (const call of this.#open) call.abandon(reason);
        for (const connection of this.#connections) connection.end(ErrorCode.NO_ERROR, reason);
      });
      this.#allEnded = () => {
        bound.cancel();
        resolve();
      };
      for (const connection of this.#connections) connection.drain();
    });
    this.wheel.close();
    return { aborted };
  }
}
