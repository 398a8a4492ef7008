import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Cancelled, TimerWheel } from '@holdfast/core';
import { methodsOf } from '../../method.js';
import { cannotListen } from '../../server/cannot-listen.js';
import { matchHandlers } from '../../server/handlers.js';
import { NestRpcServer } from '../../server/nest-rpc-server.js';
import { addReflection } from '../../server/reflection.js';
import type { RpcServerOptions } from '../../server/rpc-server.js';
import { defaultMaxMessageBytes, defaultServerKeepalive, type Compression } from '../../transport-options.js';
import { ErrorCode } from '../http2/frames.js';
import { handlerRoute } from './handler-route.js';
import type { Route } from './route.js';
import { ServerCall, type CallHost } from './server-call.js';
import { ServerConnection, type ConnectionHost } from './server-connection.js';
import { StockServices } from './stock-services.js';

/** More calls than this over one connection wait in the caller; what they hold is bounded by it. */
const defaultMaxStreams = 1_000;
/** How long a TLS handshake may take, in milliseconds. */
const tlsHandshakeMs = 5_000;

/** gRPC serving over our own HTTP/2 (`docs/transport.md`) under Nest's unchanged decorators. */
export class H2Server extends NestRpcServer implements CallHost, ConnectionHost {
  readonly wheel: TimerWheel;
  readonly maxMessageBytes: number;
  readonly compression: Compression;
  readonly #routes = new Map<string, Route>();
  readonly #connections = new Set<ServerConnection>();
  /** How many calls have no complete answer yet. */
  #open = 0;
  #listener: Server | undefined;
  #allEnded: (() => void) | undefined;

  constructor(options: RpcServerOptions) {
    super(options);
    this.wheel = new TimerWheel(this.clock);
    this.maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.compression = options.compression ?? 'none';
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

  protected override async open(): Promise<number> {
    await this.#addRoutes();
    return this.#listen();
  }

  routeOf(path: string): Route | undefined {
    return this.#routes.get(path);
  }

  accept(connection: ServerConnection): ServerCall {
    return new ServerCall(this, connection);
  }

  begun(): void {
    this.#open++;
  }

  over(): void {
    this.#open--;
  }

  onEnded(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#allEnded?.();
  }

  async #addRoutes(): Promise<void> {
    const { services, reflection, observe } = this.rpc;
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
    this.health.addTo(stock.server);
    const names = services.map(({ fullName }) => fullName);
    if (reflection !== undefined) await addReflection(stock.server, reflection, names);
    for (const [path, route] of stock.routes) this.#routes.set(path, route);
  }

  #hookable(route: Route, operationId: string): Route {
    const serve = (call: ServerCall) => {
      if (!this.hooked) return route.serve(call);
      const context = { metadata: call.metadata, request: call.request, operationId } as never;
      this.runWithProcessingHooks(context, async (runEndHook) => {
        call.onAbandoned(runEndHook);
        route.serve(call);
      });
    };
    return { ...route, serve };
  }

  #listen(): Promise<number> {
    const { host = '127.0.0.1', port = 0, tls } = this.rpc;
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
      listener.listen({ host, port }, () => resolve((listener.address() as AddressInfo).port));
    });
  }

  #connect(socket: Socket): void {
    const { keepalive, maxConcurrentStreams, maxConnectionAgeMs } = this.rpc;
    const connection = new ServerConnection(socket, this, {
      clock: this.clock,
      keepalive: keepalive ?? defaultServerKeepalive,
      maxConcurrentStreams: maxConcurrentStreams ?? defaultMaxStreams,
      maxAgeMs: maxConnectionAgeMs,
    });
    if (this.leaving) connection.end(ErrorCode.NO_ERROR, new Error('the server is leaving'));
    else this.#connections.add(connection);
  }

  protected override async drainWithin(boundMs: number): Promise<{ aborted: number }> {
    this.health.end();
    this.#listener?.close();
    let aborted = 0;
    await new Promise<void>((resolve) => {
      if (this.#connections.size === 0) return resolve();
      const bound = this.clock.after(boundMs, () => {
        aborted = this.#open;
        const reason = new Cancelled('The server is leaving.');
        for (const connection of this.#connections) {
          for (const stream of connection.openStreams) if (stream instanceof ServerCall) stream.abandon(reason);
          connection.end(ErrorCode.NO_ERROR, reason);
        }
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
