import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What passes, as the caller sees it. */
export interface Tap {
  sent(chunk: Buffer): void;
  received(chunk: Buffer): void;
}

/** A TCP relay in front of a server, to cut: what the client sees of a peer that was killed. */
export class Wire {
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(listener: Server) {
    this.#listener = listener;
  }

  /** @param tap is given all that passes */
  static async to(port: number, tap: Partial<Tap> = {}): Promise<Wire> {
    const listener = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      near.pipe(far).pipe(near);
      if (tap.sent) near.on('data', tap.sent);
      if (tap.received) far.on('data', tap.received);
      wire.#keep(near);
      wire.#keep(far);
    });
    const wire = new Wire(listener);
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Breaks every connection, without a good-bye. New ones are still taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
