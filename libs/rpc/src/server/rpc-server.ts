import type { Clock } from '@holdfast/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import type { ServiceDefinition } from '../method.js';
import type { ObserveRpcServer } from '../rpc-observer.js';
import type { Compression, Keepalive, ServerTls } from '../transport-options.js';

export interface RpcServerOptions {
  /** What is served. Every method must have a handler, and every handler must belong to one of these. */
  readonly services: readonly ServiceDefinition[];
  /** The address to listen on. @default 127.0.0.1 */
  readonly host?: string;
  /** 0 takes any free one; {@link RpcServer.port} tells which. @default 0 */
  readonly port?: number;
  /** @default plain text */
  readonly tls?: ServerTls;
  /**
   * The FileDescriptorSet to answer gRPC's reflection from, or where it is: `@holdfast/proto/descriptors.binpb`. It tells
   * every caller what the services look like. @default none: reflection is off
   */
  readonly reflection?: Uint8Array | string;
  /** The longest message it receives, in bytes; a longer one ends its call with RESOURCE_EXHAUSTED. @default 4 MiB */
  readonly maxMessageBytes?: number;
  /** What leaves packed, for callers that read it; grpc-js's server packs nothing. @default none */
  readonly compression?: Compression;
  /** How many calls one connection may have open; more of them wait in the caller. @default 1,000 on h2, no limit on grpc-js */
  readonly maxConcurrentStreams?: number;
  /** @default a ping every 10 s, answered within 5 s */
  readonly keepalive?: Keepalive;
  /**
   * Connections older than this are asked to come anew (calls that run are not touched), in milliseconds: what spreads
   * callers without balancing over new instances. @default none
   */
  readonly maxConnectionAgeMs?: number;
  /** How long `close()` lets calls that run end, in milliseconds. @default 10_000 */
  readonly drainMs?: number;
  /** The clock of the deadlines in {@link CallContext}. @default systemClock */
  readonly clock?: Clock;
  /** Watches the calls. @default nobody does */
  readonly observe?: ObserveRpcServer;
}

/**
 * The serving side of RPC: a Nest strategy under the unchanged decorators `@GrpcMethod`, `@GrpcStreamMethod` and
 * `@GrpcStreamCall`. Each handler runs in the CallContext of its call. RpcErrorFilter goes with it.
 *
 * `listen` fails with a StartupError where the port cannot be had or the handlers do not match the services.
 */
export interface RpcServer extends CustomTransportStrategy {
  /** The port it listens on; 0 before `listen`. */
  readonly port: number;
  /** What gRPC health checking says about the server ('') and each of its services. It starts as not serving. */
  setServing(serving: boolean): void;
  /**
   * Takes no new connections and calls, tells the peers so, waits until the calls that run have ended or `boundMs`
   * milliseconds are over, then ends the rest and closes. Doing it again gives the same result.
   * @returns how many calls were ended before they had their answer
   */
  drain(boundMs: number): Promise<{ aborted: number }>;
  /** Drains within the `drainMs` of the options. */
  close(): Promise<void>;
}
