import { GrpcJsServer } from './grpc-js/grpc-js-server.js';
import { GrpcJsTransport } from './grpc-js/grpc-js-transport.js';
import { H2Transport } from './h2/client/h2-transport.js';
import { H2Server } from './h2/server/h2-server.js';
import type { RpcServer, RpcServerOptions } from './server/rpc-server.js';
import type { TransportOptions } from './transport-options.js';
import type { Transport } from './transport.js';

/** The ways in which calls travel. They speak the same on the wire, so that the two sides of a call may differ. */
export const transportNames = ['grpc-js', 'h2'] as const;
export type TransportName = (typeof transportNames)[number];

/** What may be chosen: `h2`, or `h2 user-service=grpc-js` where some targets differ. */
export const transportChoice = /^(?:grpc-js|h2)(?: +[a-z0-9-]+=(?:grpc-js|h2))*$/;

/** The calling side of a transport. */
export function openTransport(name: TransportName, options: TransportOptions): Transport {
  return name === 'h2' ? new H2Transport(options) : new GrpcJsTransport(options);
}

/** The transports of a process: one for most of its targets, another for those that are named. */
export class Transports {
  /** The one of the process, which it serves on, too. */
  readonly usual: TransportName;
  readonly #options: TransportOptions;
  readonly #byTarget: ReadonlyMap<string, TransportName>;
  readonly #open = new Map<TransportName, Transport>();

  /** @param choice as {@link transportChoice} allows */
  constructor(choice: string, options: TransportOptions) {
    const [usual, ...exceptions] = choice.split(/ +/);
    this.usual = usual as TransportName;
    this.#byTarget = new Map(exceptions.map((one) => one.split('=') as [string, TransportName]));
    this.#options = options;
  }

  /** What carries calls to `target`; the usual one where none is named. */
  to(target?: string): Transport {
    const name = (target === undefined ? undefined : this.#byTarget.get(target)) ?? this.usual;
    const transport = this.#open.get(name) ?? openTransport(name, this.#options);
    this.#open.set(name, transport);
    return transport;
  }
}

/** The serving side of a transport, not yet listening. */
export function rpcServer(name: TransportName, options: RpcServerOptions): RpcServer {
  return name === 'h2' ? new H2Server(options) : new GrpcJsServer(options);
}
