import type { Clock, Timer } from '@holdfast/core';
import type { Keepalive } from '../../transport-options.js';

/** What a connection shows of its life. */
export interface Signs {
  /** How many bytes have come so far. */
  readonly received: number;
  /** How many frames have come so far. */
  readonly framesReceived: number;
  /** Whether a frame or a header block has begun and not ended. */
  readonly partial: boolean;
  /** Something that grows with what the peer takes of messages. */
  readonly sent: number;
  /** How much waits to leave, in bytes. */
  readonly unsent: number;
  ping(): void;
  /** Ends the connection. */
  dead(reason: string): void;
}

/** A frame or header block that takes longer than this to arrive is not meant to, in milliseconds. */
const partialMs = 10_000;
/** So long may nothing leave while this much is waiting: a peer that reads so slowly is not going to, in milliseconds and bytes. */
const stallMs = 30_000;
const stallBytes = 1_048_576;

/**
 * Finds out connections that are dead or held up on purpose: silence, a frame that never ends, a peer that does not read.
 * It looks once in a while and compares, so that traffic costs nothing.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #keepalive: Keepalive;
  readonly #signs: Signs;
  #timer: Timer | undefined;
  #received = -1;
  #frames = -1;
  #framesSince = 0;
  #sent = -1;
  #sentSince = 0;
  #pinged = false;

  constructor(clock: Clock, keepalive: Keepalive, signs: Signs) {
    this.#clock = clock;
    this.#keepalive = keepalive;
    this.#signs = signs;
  }

  start(): void {
    this.#framesSince = this.#sentSince = this.#clock.now();
    this.#again(this.#keepalive.everyMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #again(ms: number): void {
    this.#timer = this.#clock.after(ms, () => this.#look());
  }

  #look(): void {
    const { received, framesReceived, partial, sent, unsent } = this.#signs;
    const now = this.#clock.now();
    const silent = received === this.#received;
    if (framesReceived !== this.#frames || !partial) this.#framesSince = now;
    if (sent !== this.#sent || unsent < stallBytes) this.#sentSince = now;
    this.#received = received;
    this.#frames = framesReceived;
    this.#sent = sent;
    if (silent && this.#pinged) return this.#signs.dead('it answers no PING');
    if (now - this.#framesSince >= partialMs) return this.#signs.dead('a frame does not come to its end');
    if (now - this.#sentSince >= stallMs) return this.#signs.dead('it does not read what is sent');
    this.#pinged = silent;
    if (silent) this.#signs.ping();
    this.#again(silent ? this.#keepalive.timeoutMs : this.#keepalive.everyMs);
  }
}
