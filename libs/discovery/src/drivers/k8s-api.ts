import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { EndpointSlice } from './k8s-slices.js';

/** The API server answered, and refused. Its message is a sentence without secrets. */
export class ApiRefusal extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }

  /** The server no longer has the changes since the version that was asked for: 410 Gone. */
  get isGone(): boolean {
    return this.status === 410;
  }
}

/** All slices of a service at one moment. */
export interface SliceList {
  readonly resourceVersion: string;
  readonly slices: readonly EndpointSlice[];
}

/** One change. Of a bookmark only the version counts. */
export interface SliceEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: EndpointSlice;
}

/** Where the API server is, and who asks it. */
export interface ApiSettings {
  /** `https://host:port`. */
  readonly server: string;
  /** Folder with `token`, `ca.crt` and `namespace`, as Kubernetes mounts it; the files are read anew, since tokens are replaced. */
  readonly account: string;
  /** @default the one in the account's folder */
  readonly namespace: string | undefined;
}

/** A larger answer is refused, in bytes: some 200,000 endpoints. */
const MOST_BYTES = 64 * 1_024 * 1_024;
/** A waiting connection whose other end is gone shows after a few of these, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/** EndpointSlices over HTTPS with the service account of the pod. */
export class KubernetesApi {
  /** The server's host and port. */
  readonly address: string;
  readonly #settings: ApiSettings;
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS });

  constructor(settings: ApiSettings) {
    this.#settings = settings;
    this.address = new URL(settings.server).host;
  }

  /** @throws ApiRefusal for an answer that is not 200 · Error without one */
  async list(service: string, signal: AbortSignal): Promise<SliceList> {
    const response = await this.#ask(service, {}, signal);
    const body = JSON.parse(await this.#text(response)) as {
      metadata: { resourceVersion: string };
      items: EndpointSlice[] | null;
    };
    return { resourceVersion: body.metadata.resourceVersion, slices: body.items ?? [] };
  }

  /**
   * The changes since `resourceVersion`, until the server ends the watch after `seconds`, as it may at any time.
   * The first value is none: the watch stands.
   * @throws ApiRefusal also for an error among the changes · Error where the connection breaks
   */
  async *watch(
    service: string,
    resourceVersion: string,
    seconds: number,
    signal: AbortSignal,
  ): AsyncGenerator<SliceEvent | undefined, void, undefined> {
    const query = { watch: '1', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: String(seconds) };
    const response = await this.#ask(service, query, signal);
    yield undefined;
    try {
      for await (const line of linesOf(response)) {
        const event = JSON.parse(line) as SliceEvent | { type: 'ERROR'; object: { code?: number; message?: string } };
        if (event.type === 'ERROR') throw this.#refusal(event.object.code ?? 500, event.object.message);
        yield event;
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ApiRefusal) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw new Error(`${this.#name()} broke off a watch${code === undefined ? '' : ` (${code})`}.`, { cause: error });
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask(service: string, query: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
    const { server } = this.#settings;
    const [token, ca, namespace] = await Promise.all([
      this.#file('token'),
      this.#file('ca.crt'),
      this.#settings.namespace ?? this.#file('namespace'),
    ]);
    const url = new URL(`/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`, server);
    const labels = { labelSelector: `kubernetes.io/service-name=${service}` };
    url.search = new URLSearchParams({ ...labels, ...query }).toString();
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(url, { agent: this.#agent, ca, headers, signal }, resolve);
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const reason = error.code ?? 'the connection broke';
        reject(signal.aborted ? (signal.reason as Error) : new Error(`${this.#name()} cannot be reached (${reason}).`));
      });
      sent.end();
    });
    if (response.statusCode === 200) return response;
    throw this.#refusal(response.statusCode ?? 500, messageIn(await this.#text(response)));
  }

  async #file(name: string): Promise<string> {
    const path = join(this.#settings.account, name);
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
      throw new Error(`${path} cannot be read (${code}); mount the pod’s service account token there.`, {
        cause: error,
      });
    }
  }

  async #text(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MOST_BYTES) throw new Error(`${this.#name()} answered with more than ${MOST_BYTES} bytes.`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }

  #refusal(status: number, message: string | undefined): ApiRefusal {
    const why = message?.split('\n')[0]?.slice(0, 200).replace(/\.$/, '') || 'no reason given';
    const advice = status === 403 ? '; give the service account a role that may list and watch endpointslices' : '';
    return new ApiRefusal(`${this.#name()} answered ${status}: ${why}${advice}.`, status);
  }

  #name(): string {
    return `kubernetes at ${this.address}`;
  }
}

/** Whole lines, as they come. @throws Error where the connection breaks before its end, or a line has none */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_BYTES) throw new Error(`one change has more than ${MOST_BYTES} characters.`);
    yield* lines.filter((line) => line !== '');
  }
}

function messageIn(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { message?: string }).message;
  } catch {
    return undefined;
  }
}
