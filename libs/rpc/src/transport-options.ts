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

/**
 * Whether messages of 1 KiB and more leave packed, where the peer reads gzip and it makes them shorter by a tenth. It trades
 * CPU for bytes: worth it for large texts between zones, not within one machine room. Where a message carries a secret
 * beside words of somebody else's choosing, leave it off: over TLS, too, the packed length betrays what they have in common
 * (CRIME, CVE-2012-4929; BREACH, CVE-2013-3587).
 */
export const compressions = ['none', 'gzip'] as const;
export type Compression = (typeof compressions)[number];

/** How many connections to one peer there may be, as operators write it. */
export const connectionCounts = ['1', '2', '3', '4', '5', '6', '7', '8'] as const;

/** What every transport can be told; all of it is fixed at construction. */
export interface TransportOptions {
  /** @default plain text */
  readonly tls?: ClientTls;
  /** The longest message it receives, in bytes; a longer one ends its call with RESOURCE_EXHAUSTED. @default 4 MiB */
  readonly maxMessageBytes?: number;
  /** What leaves packed; h2 waits until it knows that the peer reads it, grpc-js does not. @default none */
  readonly compression?: Compression;
  /**
   * Connections to each peer, 1 to 8. More than one only help where the address stands for several machines, or where loss
   * on the way holds up a connection. h2 alone has more than one. @default 1
   */
  readonly connections?: number;
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
