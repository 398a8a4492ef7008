import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** One endpoint of a Service, as a test says it. */
export interface FakeEndpoint {
  readonly pod: string;
  readonly host: string;
  readonly port: number;
  /** What the Service calls the port; one slice has one name. @default 'grpc' */
  readonly portName?: string;
  /** @default true */
  readonly ready?: boolean;
  /** @default false */
  readonly terminating?: boolean;
  readonly zone?: string;
}

interface Slice {
  readonly metadata: {
    readonly name: string;
    readonly labels: Record<string, string>;
    readonly resourceVersion: string;
  };
  readonly [field: string]: unknown;
}

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Slice;
}

interface Watcher {
  readonly service: string;
  readonly response: ServerResponse;
}

const PATH = /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/apps\/endpointslices$/;

/**
 * The part of a Kubernetes API server that is about EndpointSlices, on loopback and with TLS, where there is no real one: lists with
 * a version, watches from a version with bookmarks and an end, forgotten versions (410, in the answer or among the changes),
 * tokens (401) and rights (403), as the API conventions have them. The namespace is `apps`.
 */
export class FakeKubernetesApi implements AsyncDisposable {
  /** Folder of a service account: `token`, `ca.crt`, `namespace`. */
  readonly account: string;
  /** The token that it takes now. */
  token = 'first';
  /** Whether the account may list and watch. */
  allowed = true;
  /** Whether a version that is too old is refused in the answer itself; else the watch starts and its first change is the error. */
  refusesEarly = false;
  /** How often it was asked to list, and to watch. */
  readonly asked = { list: 0, watch: 0 };
  readonly #server: Server;
  readonly #slices = new Map<string, Slice>();
  readonly #watchers = new Set<Watcher>();
  #changes: { readonly version: number; readonly service: string; readonly change: Change }[] = [];
  #forgotten = 0;
  #version = 1;

  private constructor(server: Server, account: string) {
    this.#server = server;
    this.account = account;
    server.on('request', (request, response) => this.#answer(request, response));
  }

  static async start(): Promise<FakeKubernetesApi> {
    const account = await mkdtemp(join(tmpdir(), 'holdfast-account-'));
    const [cert, key] = [join(account, 'ca.crt'), join(account, 'key.pem')];
    const names = ['-subj', '/CN=kubernetes', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert];
    await promisify(execFile)('openssl', ['req', '-x509', '-days', '1', ...made, ...names]);
    const server = createServer({ cert: await readFile(cert), key: await readFile(key) });
    const api = new FakeKubernetesApi(server, account);
    await api.mount();
    await writeFile(join(account, 'namespace'), 'apps\n');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return api;
  }

  /** `https://host:port`. */
  get server(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** For `REGISTRY_URL`. */
  get url(): string {
    return `k8s:?server=${this.server}&account=${this.account}`;
  }

  /** Watches that stand. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Writes the token that it takes now into the account's folder, as Kubernetes does before an old one ends. */
  async mount(): Promise<void> {
    await writeFile(join(this.account, 'token'), this.token);
  }

  /** Sets the endpoints of one slice of a service; without endpoints the slice is deleted. */
  set(service: string, endpoints: readonly FakeEndpoint[] | undefined, slice = `${service}-1`): void {
    const known = this.#slices.get(slice);
    const version = ++this.#version;
    const type = endpoints ? (known ? 'MODIFIED' : 'ADDED') : 'DELETED';
    const object = endpoints
      ? sliceOf(service, slice, endpoints, version)
      : { ...known!, metadata: { ...known!.metadata, resourceVersion: String(version) } };
    if (endpoints) this.#slices.set(slice, object);
    else this.#slices.delete(slice);
    const change: Change = { type, object };
    this.#changes.push({ version, service, change });
    for (const watcher of this.#watchers) if (watcher.service === service) send(watcher.response, change);
  }

  /** Forgets all changes so far, as the server does after some minutes. */
  compact(): void {
    this.#forgotten = ++this.#version;
    this.#changes = [];
  }

  /** Tells watchers the present version, and nothing else. */
  bookmark(): void {
    const metadata = { resourceVersion: String(this.#version) };
    for (const { response } of this.#watchers)
      send(response, { type: 'BOOKMARK', object: { kind: 'EndpointSlice', metadata } });
  }

  /** Ends all watches, as a server does whose time for them is over, or breaks them off. */
  endWatches(how: 'end' | 'break' = 'end'): void {
    for (const { response } of this.#watchers) {
      if (how === 'end') response.end();
      else response.destroy();
    }
  }

  /** Takes no more connections, and breaks those that there are. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.account, { recursive: true, force: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.server);
    const service = /^kubernetes\.io\/service-name=(.+)$/.exec(searchParams.get('labelSelector') ?? '')?.[1];
    if (request.headers.authorization !== `Bearer ${this.token}`) return refuse(response, 401, 'Unauthorized');
    if (!PATH.test(pathname) || !service)
      return refuse(response, 404, 'the server could not find the requested resource');
    if (!this.allowed) return refuse(response, 403, 'endpointslices.discovery.k8s.io is forbidden');
    if (searchParams.get('watch') !== '1') return this.#list(service, response);
    this.#watch(service, searchParams, response);
  }

  #list(service: string, response: ServerResponse): void {
    this.asked.list++;
    const items = [...this.#slices.values()].filter(
      ({ metadata }) => metadata.labels['kubernetes.io/service-name'] === service,
    );
    const body = { kind: 'EndpointSliceList', metadata: { resourceVersion: String(this.#version) }, items };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  #watch(service: string, query: URLSearchParams, response: ServerResponse): void {
    this.asked.watch++;
    const from = Number(query.get('resourceVersion'));
    const gone = from < this.#forgotten;
    if (gone && this.refusesEarly) return refuse(response, 410, `too old resource version: ${from}`);
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    if (gone) {
      send(response, { type: 'ERROR', object: status(410, `too old resource version: ${from}`) });
      return void response.end();
    }
    const watcher = { service, response };
    this.#watchers.add(watcher);
    const timer = setTimeout(() => response.end(), Number(query.get('timeoutSeconds')) * 1_000);
    response.once('close', () => {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    });
    for (const { version, service: changed, change } of this.#changes) {
      if (version > from && changed === service) send(response, change);
    }
  }
}

function sliceOf(service: string, name: string, endpoints: readonly FakeEndpoint[], version: number): Slice {
  return {
    metadata: { name, labels: { 'kubernetes.io/service-name': service }, resourceVersion: String(version) },
    addressType: endpoints[0]?.host.includes(':') ? 'IPv6' : 'IPv4',
    ports: [{ name: endpoints[0]?.portName ?? 'grpc', protocol: 'TCP', port: endpoints[0]?.port ?? 1 }],
    endpoints: endpoints.map(({ pod, host, ready = true, terminating = false, zone }) => ({
      addresses: [host],
      conditions: { ready: ready && !terminating, serving: ready, terminating },
      targetRef: { kind: 'Pod', namespace: 'apps', name: pod },
      ...(zone !== undefined && { zone }),
    })),
  };
}

function send(response: ServerResponse, event: object): void {
  response.write(`${JSON.stringify(event)}\n`);
}

function refuse(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(status(code, message)));
}

function status(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code };
}
