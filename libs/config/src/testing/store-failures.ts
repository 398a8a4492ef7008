import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { ConfigDriver, Reading } from '../driver.js';
import { pause, settingsOf } from './contract-reading.js';

/** A line to a store that a spec can cut, mend and lead elsewhere. */
export class Proxy {
  /** `host:port` of the store behind it. */
  target: string;
  /** Bytes of the store's answers that still come through; then the connection breaks. */
  remaining = Infinity;
  /** How often somebody has connected. */
  connections = 0;
  readonly #tls: TlsOptions | undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  private constructor(target: string, tls: TlsOptions | undefined) {
    this.target = target;
    this.#tls = tls;
  }

  /** @param tls what it is to the caller's side; the store's is plain */
  static async to(target: string, tls?: TlsOptions): Promise<Proxy> {
    const proxy = new Proxy(target, tls);
    await proxy.mend();
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens again, at the same address. */
  async mend(): Promise<void> {
    const join = (socket: Socket) => this.#join(socket);
    const server = this.#tls ? createTlsServer(this.#tls, join) : createServer(join);
    server.on('connection', (socket: Socket) => this.#keep(socket)).on('tlsClientError', () => {});
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Breaks every connection and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    this.drop();
    await closed;
  }

  /** Breaks every connection; new ones are served. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket): void {
    this.connections++;
    const [host, port] = this.target.split(/:(?=\d+$)/);
    const far = connect(Number(port), host);
    this.#keep(near).pipe(this.#keep(far));
    far.on('data', (part: Buffer) => {
      near.write(part.subarray(0, this.remaining));
      this.remaining -= part.length;
      if (this.remaining <= 0) near.end(() => near.destroy());
    });
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

interface Process {
  readonly address: string;
  kill(signal: 'SIGSTOP'): Promise<void>;
}

/** Stops a store's process where it stands, with all its connections open, and waits until it has really stopped. */
export async function freeze(store: Process): Promise<void> {
  await store.kill('SIGSTOP');
  for (let answers = true; answers;) {
    const answer = fetch(`http://${store.address}/`, { signal: AbortSignal.timeout(300) });
    answers = await answer.then(
      () => true,
      () => false,
    );
  }
}

/** Reads on as Config does: one read after another, and after a rejection the next without a cursor. */
export class Follower {
  /** What the last reading said. */
  settings: unknown;
  last: Reading | undefined;
  readonly problems: string[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(
    driver: ConfigDriver,
    service: string,
    readonly seen: (settings: unknown) => void = () => {},
  ) {
    this.#done = this.#follow(driver, service);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the follower stops'));
    await this.#done;
  }

  async #follow(driver: ConfigDriver, service: string): Promise<void> {
    const signal = this.#stop.signal;
    for (let cursor: string | undefined; !signal.aborted;) {
      try {
        const reading = await driver.read(service, cursor, signal);
        this.last = reading;
        this.settings = settingsOf(reading);
        cursor = reading.cursor;
        this.seen(this.settings);
      } catch (error) {
        if (signal.aborted) return;
        this.problems.push((error as Error).message);
        cursor = undefined;
        await pause(100);
      }
    }
  }
}
