import type { Clock } from '@holdfast/core';

/** PEM texts for the calling side of TLS. */
export interface ClientTls {
  /** Certificates to trust. @default those that Node.js trusts */
  readonly ca?: Buffer;
  /** Our own certificate chain, where the peer asks for one; goes with `key`. */
  readonly cert?: Buffer;
  /** The private key of `cert`. */
  readonly key?: Buffer;
  /** The name that the peer's certificate must carry, where it is not the host of the address. */
  readonly serverName?: string;
}

/** PEM texts for the serving side of TLS. */
export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** With it, callers must show a certificate that it signed. */
  readonly ca?: Buffer;
}

/** How a silent connection is found out: a ping after a while without traffic, and how long its answer may take. */
export interface Keepalive {
  /** Pause between pings, in milliseconds, at least 10. */
  readonly everyMs: number;
  /** A ping without an answer for so long closes the connection, in milliseconds. */
  readonly timeoutMs: number;
}

/** What every transport can be told; all of it is fixed at construction. */
export interface TransportOptions {
  /** @default plain text */
  readonly tls?: ClientTls;
  /** The longest message it receives, in bytes; a longer one ends its call with RESOURCE_EXHAUSTED. @default 4 MiB */
  readonly maxMessageBytes?: number;
  /** @default a ping every 2 s, answered within 2 s: a dead peer is found within twice the default time-out of a call */
  readonly keepalive?: Keepalive;
  /** The longest pause before another attempt to connect, in milliseconds. The first is 100 ms, jittered. @default 3_000 */
  readonly maxReconnectMs?: number;
  /** The clock that `OutgoingCall.deadline` is on. @default systemClock */
  readonly clock?: Clock;
}

export const defaultMaxMessageBytes = 4 * 1024 * 1024;
export const defaultKeepalive: Keepalive = { everyMs: 2_000, timeoutMs: 2_000 };
/** Servers look for callers that are gone, with less hurry: a caller that stood still for a while must not lose its calls. */
export const defaultServerKeepalive: Keepalive = { everyMs: 10_000, timeoutMs: 5_000 };
