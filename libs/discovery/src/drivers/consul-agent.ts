import { EventEmitter } from 'node:events';
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import Consul from 'consul';
import { ConsulBody } from './consul-body.js';
import type { ConsulHost, ConsulSettings } from './consul-url.js';

/** Consul answered, and refused. Its message is a sentence without secrets. */
export class ConsulRefusal extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Consul gave no answer: nobody is there, or the connection broke. */
export class ConsulUnreachable extends Error {}

/** An answer's body and what Consul says of it in `X-Consul-Index`. */
export interface ConsulAnswer {
  readonly body: ConsulBody;
  readonly index: string | undefined;
}

/**
 * What this needs of the `consul` package. Its typed methods are gone around in three places: `agent.service.register`
 * drops weights, there is none for one service of an agent, and `watch` ends for good on some errors and can stay stale
 * after others. What lies below them, requests and their encoding, is the package's.
 */
interface LowLevelClient {
  _get(request: object, last: Last): Promise<IncomingMessage>;
  _put(request: object, last: Last): Promise<IncomingMessage>;
}

interface Exchange {
  readonly err?: Error & { response?: { readonly statusCode?: number } };
  readonly res: IncomingMessage;
}

/** The last step of a request, which turns what happened into the promise's result: `next(false, error, result)`. */
type Last = (exchange: Exchange, next: (stop: false, error?: Error, result?: unknown) => void) => void;

/**
 * An agent resets whoever has more than 200 connections from one address, all processes of a machine together. Calls that
 * are answered at once share a few; a waiting read needs one for itself.
 */
const SHARED_CONNECTIONS = 4;

/** One Consul agent over keep-alive connections of its own. */
export class ConsulAgent {
  /** `host:port`. */
  readonly address: string;
  readonly #sockets: readonly HttpAgent[];
  readonly #short: LowLevelClient;
  readonly #waiting: LowLevelClient;
  readonly #headers: Readonly<Record<string, string>>;
  #epoch = 0;

  constructor({ host, port }: ConsulHost, settings: Pick<ConsulSettings, 'secure' | 'ca' | 'token'>) {
    this.address = `${host}:${port}`;
    const token = settings.token === undefined ? {} : { 'x-consul-token': settings.token };
    // A long list is forty times smaller so, and what it costs to receive one is what blocks the event loop.
    this.#headers = { 'accept-encoding': 'gzip', ...token };
    const bare = host.replace(/^\[|\]$/g, '');
    // The client hands on an IPv6 address in its brackets, as a host name that nobody knows; the agent's word overrides.
    const connection = { keepAlive: true, ...(bare.includes(':') && { host: bare }) };
    const tls = settings.ca === undefined ? {} : { ca: settings.ca };
    const open = (maxSockets: number) => {
      const options = { ...connection, maxSockets };
      const sockets = settings.secure ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options);
      followConnections(sockets, () => this.#epoch++);
      return sockets;
    };
    const [short, waiting] = [open(SHARED_CONNECTIONS), open(Infinity)];
    const client = (agent: HttpAgent) =>
      new Consul({ host, port, secure: settings.secure, agent }) as unknown as LowLevelClient;
    this.#sockets = [short, waiting];
    this.#short = client(short);
    this.#waiting = client(waiting);
  }

  /**
   * Changes whenever a connection to the agent ends. While it stays the same, the agent is certainly the same process,
   * and its indexes are comparable; after that a restarted agent may count from the beginning.
   */
  get epoch(): number {
    return this.#epoch;
  }

  /** @param path below `/v1`, with `{name}` for each of `params`, which are URL-encoded */
  get(path: string, params: Record<string, string>, query: Record<string, string>, signal: AbortSignal) {
    const client = query['wait'] === undefined ? this.#short : this.#waiting;
    // oxlint-disable-next-line no-underscore-dangle -- the package's own name
    return this.#call((request, last) => client._get(request, last), { path, params, query }, signal);
  }

  put(path: string, params: Record<string, string>, body: object | undefined, signal: AbortSignal) {
    const request = { path, params, ...(body && { body, type: 'json' }) };
    // oxlint-disable-next-line no-underscore-dangle -- the package's own name
    return this.#call((whole, last) => this.#short._put(whole, last), request, signal);
  }

  close(): void {
    for (const sockets of this.#sockets) sockets.destroy();
  }

  /** @throws ConsulRefusal for an answer that is not 2xx · ConsulUnreachable without an answer */
  async #call(
    send: (request: object, last: Last) => Promise<IncomingMessage>,
    request: object,
    signal: AbortSignal,
  ): Promise<ConsulAnswer> {
    signal.throwIfAborted();
    const ctx = new EventEmitter();
    const cancel = () => ctx.emit('cancel');
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const body = new ConsulBody();
      const options = { headers: { ...this.#headers }, ctx, pipe: body, ...request };
      const response = await send(options, (exchange, next) => {
        body.isPacked = exchange.res?.headers['content-encoding'] === 'gzip';
        // The package's own error carries the request with its token, so nothing of it goes on from here.
        if (exchange.err) return next(false, this.#problem(exchange.err, body));
        next(false, undefined, exchange.res);
      });
      const index = response.headers['x-consul-index'];
      return { body, index: typeof index === 'string' ? index : undefined };
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #problem(error: NonNullable<Exchange['err']>, body: ConsulBody): Error {
    const { statusCode } = error.response ?? {};
    if (statusCode === undefined) {
      const reason = (error as NodeJS.ErrnoException).code ?? 'the connection broke';
      return new ConsulUnreachable(`consul at ${this.address} cannot be reached (${reason}).`);
    }
    const why = reasonIn(body).split('\n')[0]?.slice(0, 200).replace(/\.$/, '') || 'no reason given';
    return new ConsulRefusal(`consul at ${this.address} answered ${statusCode}: ${why}.`, statusCode);
  }
}

function reasonIn(body: ConsulBody): string {
  try {
    return body.text();
  } catch {
    return '';
  }
}

/** Node's own, which its types do not name. */
type AgentInternals = HttpAgent & { addRequest(request: ClientRequest, options: object): void };

/**
 * Tells when a connection ends, and makes an answer that is cut off in its middle an error: the client listens for an
 * answer's end only, and would wait for it until the call's time is over.
 */
function followConnections(sockets: HttpAgent, ended: () => void): void {
  const internals = sockets as AgentInternals;
  const add = internals.addRequest.bind(sockets);
  internals.addRequest = (request, options) => {
    request.once('socket', (socket) => {
      if (socket.listeners('close').includes(ended)) return;
      socket.once('close', ended);
    });
    request.once('response', (response: IncomingMessage) => {
      response.once('close', () => {
        if (!response.complete) request.emit('error', new Error('the answer was cut off'));
      });
    });
    add(request, options);
  };
}
