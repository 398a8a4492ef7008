import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
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

/** Consul gave no whole answer: nobody is there, or the connection broke. */
export class ConsulUnreachable extends Error {}

/** An answer that Consul meant: 2xx, 404 (there is no such key) or 409 (a transaction that was rolled back). */
export interface ConsulAnswer {
  readonly status: number;
  readonly body: unknown;
  /** What it says in `X-Consul-Index`. */
  readonly index: string | undefined;
}

export interface ConsulQuestion {
  readonly method: 'GET' | 'PUT';
  /** Below `/v1`, encoded as a URL wants it, with its query. */
  readonly path: string;
  readonly body?: unknown;
}

/**
 * One Consul agent over keep-alive connections of its own. Plain HTTP in place of the `consul` package, whose calls never
 * settle when an answer is cut off, and whose errors carry the request with its token.
 */
export class ConsulAgent {
  /** `host:port`. */
  readonly address: string;
  readonly #host: ConsulHost;
  readonly #settings: ConsulSettings;
  readonly #sockets: HttpAgent;
  readonly #ended = () => void this.#epoch++;
  #epoch = 0;

  constructor(host: ConsulHost, settings: ConsulSettings) {
    this.address = `${host.host}:${host.port}`;
    this.#host = { ...host, host: host.host.replace(/^\[|\]$/g, '') };
    this.#settings = settings;
    const tls = settings.ca === undefined ? {} : { ca: settings.ca };
    this.#sockets = settings.secure ? new HttpsAgent({ keepAlive: true, ...tls }) : new HttpAgent({ keepAlive: true });
  }

  /**
   * Changes whenever a connection to the agent ends. While it stays the same, the agent is certainly the same process,
   * and its indexes are comparable; after that a restarted agent may count from the beginning.
   */
  get epoch(): number {
    return this.#epoch;
  }

  /** @throws ConsulRefusal for any other answer · ConsulUnreachable without one · the signal's reason */
  async ask(question: ConsulQuestion, signal: AbortSignal): Promise<ConsulAnswer> {
    signal.throwIfAborted();
    const [response, text] = await this.#exchange(question, signal);
    const { statusCode: status = 0, headers } = response;
    const meant = (status >= 200 && status < 300) || status === 404 || status === 409;
    const index = headers['x-consul-index'];
    let body: unknown;
    try {
      body = text === '' ? undefined : JSON.parse(text);
    } catch {
      if (meant && status < 300)
        throw new ConsulRefusal(`consul at ${this.address} answered with what is no JSON.`, status);
    }
    // Any web server has a 404. Consul's own to a question for keys carries an index.
    if (meant && (status !== 404 || index !== undefined)) {
      return { status, body, index: typeof index === 'string' ? index : undefined };
    }
    const why = text.split('\n')[0]?.trim().slice(0, 200).replace(/\.$/, '') || 'no reason given';
    throw new ConsulRefusal(`consul at ${this.address} answered ${status}: ${why}.`, status);
  }

  close(): void {
    this.#sockets.destroy();
  }

  #exchange({ method, path, body }: ConsulQuestion, signal: AbortSignal): Promise<[IncomingMessage, string]> {
    const { secure, token } = this.#settings;
    const headers = { ...(token !== undefined && { 'x-consul-token': token }), 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const lost = (error: NodeJS.ErrnoException) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const reason = error.code ?? 'the connection broke';
        reject(new ConsulUnreachable(`consul at ${this.address} cannot be reached (${reason}).`));
      };
      const options = { ...this.#host, agent: this.#sockets, method, path: `/v1${path}`, headers };
      const request = (secure ? httpsRequest : httpRequest)(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        // An answer that is cut off ends with an error, as long as somebody listens to its errors.
        response.on('error', lost);
        response.on('end', () => resolve([response, Buffer.concat(parts).toString()]));
      });
      const stop = () => request.destroy();
      signal.addEventListener('abort', stop, { once: true });
      request.on('close', () => signal.removeEventListener('abort', stop));
      request.on('error', lost);
      request.on('socket', (socket: Socket) => {
        if (!socket.listeners('close').includes(this.#ended)) socket.once('close', this.#ended);
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
