import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode, type Answer, type Packet } from 'dns-packet';

/** What a name server says of one name: records, or the code of a failure. */
export type Zone = Map<string, readonly Answer[] | 'SERVFAIL'>;

/** A name server of a test's own, on loopback: it answers what the test wrote into its zone, and NXDOMAIN otherwise. */
export class NameServer implements AsyncDisposable {
  /** By full name. An empty list: the name is there, and has no records. */
  readonly zone: Zone = new Map();
  /** Whether it answers at all. */
  silent = false;
  /** How many questions it has been asked. */
  asked = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message, { port, address }) => {
      this.asked++;
      if (!this.silent) socket.send(encode(this.#answer(decode(message))), port, address);
    });
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new NameServer(socket);
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** Says that the name has these addresses, and no others. */
  has(name: string, hosts: readonly string[]): void {
    this.zone.set(
      name,
      hosts.map((data) => ({ type: data.includes(':') ? 'AAAA' : 'A', name, ttl: 5, data })),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #answer({ id, questions = [] }: Packet): Packet {
    const [question] = questions;
    const known = this.zone.get(question?.name ?? '');
    // Response codes of RFC 1035, 4.1.1.
    const code = known === undefined ? 3 : known === 'SERVFAIL' ? 2 : 0;
    const answers = Array.isArray(known) ? (known as Answer[]).filter(({ type }) => type === question?.type) : [];
    return { type: 'response', id: id ?? 0, flags: code, questions, answers };
  }
}
