import { GrpcJsServer } from './grpc-js/grpc-js-server.js';
import { GrpcJsTransport } from './grpc-js/grpc-js-transport.js';
import { H2Transport } from './h2/client/h2-transport.js';
import { H2Server } from './h2/server/h2-server.js';
import type { RpcServer, RpcServerOptions } from './server/rpc-server.js';
import { connectionCounts, compressions, type Compression, type TransportOptions } from './transport-options.js';
import type { Transport } from './transport.js';

/** The ways in which calls travel. They speak the same on the wire, so that the two sides of a call may differ. */
export const transportNames = ['grpc-js', 'h2'] as const;
export type TransportName = (typeof transportNames)[number];

/** What may be chosen: `h2`, or `h2 user-service=grpc-js` where some targets differ. */
export const transportChoice = choiceOf(transportNames);
/** What may be chosen: `none`, `gzip`, or `none user-service=gzip`. */
export const compressionChoice = choiceOf(compressions);
/** What may be chosen: `1` to `8`, or `1 user-service=4`. */
export const connectionsChoice = choiceOf(connectionCounts);

function choiceOf(words: readonly string[]): RegExp {
  const word = `(?:${words.join('|')})`;
  return new RegExp(`^${word}(?: +[a-z0-9-]+=${word})*$`);
}

/** One word for most targets, others for those that are named. */
class Choice<Word extends string> {
  readonly usual: Word;
  readonly #byTarget: ReadonlyMap<string, Word>;

  constructor(text: string) {
    const [usual, ...exceptions] = text.split(/ +/);
    this.usual = usual as Word;
    this.#byTarget = new Map(exceptions.map((one) => one.split('=') as [string, Word]));
  }

  of(target: string | undefined): Word {
    return (target === undefined ? undefined : this.#byTarget.get(target)) ?? this.usual;
  }
}

/** How calls travel, for most targets and for those that differ, as operators write it. */
export interface TransportChoices {
  /** As {@link transportChoice} allows. */
  readonly transport: string;
  /** As {@link compressionChoice} allows. @default none */
  readonly compression?: string;
  /** As {@link connectionsChoice} allows. @default 1 */
  readonly connections?: string;
}

/** The calling side of a transport. */
export function openTransport(name: TransportName, options: TransportOptions): Transport {
  return name === 'h2' ? new H2Transport(options) : new GrpcJsTransport(options);
}

/** The transports of a process: one for most of its targets, others for those that are named. */
export class Transports {
  /** What the process serves by, too. */
  readonly usual: { readonly name: TransportName; readonly compression: Compression };
  readonly #options: TransportOptions;
  readonly #names: Choice<TransportName>;
  readonly #compressions: Choice<Compression>;
  readonly #connections: Choice<string>;
  readonly #open = new Map<string, Transport>();

  constructor({ transport, compression = 'none', connections = '1' }: TransportChoices, options: TransportOptions) {
    this.#names = new Choice(transport);
    this.#compressions = new Choice(compression);
    this.#connections = new Choice(connections);
    this.usual = { name: this.#names.usual, compression: this.#compressions.usual };
    this.#options = options;
  }

  /** What carries calls to `target`; the usual one where none is named. */
  to(target?: string): Transport {
    const [name, compression] = [this.#names.of(target), this.#compressions.of(target)];
    const connections = Number(this.#connections.of(target));
    const key = `${name} ${compression} ${connections}`;
    const transport = this.#open.get(key) ?? openTransport(name, { ...this.#options, compression, connections });
    this.#open.set(key, transport);
    return transport;
  }
}

/** The serving side of a transport, not yet listening. */
export function rpcServer(name: TransportName, options: RpcServerOptions): RpcServer {
  return name === 'h2' ? new H2Server(options) : new GrpcJsServer(options);
}
