import { ReceiveWindow } from './receive-window.js';

/** How much a peer may send on all streams of a connection before it hears of more room, in bytes. */
export const connectionWindowBytes = 1_048_576;
/** With so much received and not taken, the connection gives no more room until some of it is, in bytes. */
const maxHeldBytes = 16_777_216;

/**
 * The receiving window of a connection. Room is given as DATA comes, not as it is taken, so that a stream which nobody
 * reads does not hold up the others; but only while what all of them hold stays within a bound.
 */
export class ConnectionWindow {
  readonly #window = new ReceiveWindow(connectionWindowBytes);
  readonly #grant: (bytes: number) => void;
  #held = 0;
  /** What came while too much was held: room that the peer gets later. */
  #owed = 0;

  /** @param grant tells the peer that it may send so much more */
  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /** What was received and not taken, in bytes. */
  get held(): number {
    return this.#held;
  }

  /** @throws ConnectionError where it is more than the peer may send */
  receive(bytes: number): void {
    this.#window.receive(bytes, 'connection');
    this.#held += bytes;
    this.#owed += bytes;
    this.#settle();
  }

  /** Notes that `bytes` were taken. */
  take(bytes: number): void {
    this.#held -= bytes;
    this.#settle();
  }

  #settle(): void {
    if (this.#owed === 0 || this.#held > maxHeldBytes) return;
    const grant = this.#window.take(this.#owed);
    this.#owed = 0;
    if (grant > 0) this.#grant(grant);
  }
}
