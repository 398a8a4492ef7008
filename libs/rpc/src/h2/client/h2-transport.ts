import { createSecureContext } from 'node:tls';
import { systemClock, TimerWheel } from '@holdfast/core';
import { defaultKeepalive, defaultMaxMessageBytes, type TransportOptions } from '../../transport-options.js';
import type { Link, Transport } from '../../transport.js';
import { H2Link, type H2LinkOptions } from './h2-link.js';
import { LinkBundle } from './link-bundle.js';

const defaultMaxReconnectMs = 3_000;

/** gRPC over our own HTTP/2 (`docs/transport.md`). On the wire it is like any other: peers may use whatever they like. */
export class H2Transport implements Transport {
  readonly name = 'h2';
  readonly #options: H2LinkOptions;
  readonly #connections: number;

  /** @throws Error when the TLS material cannot be used */
  constructor(options: TransportOptions = {}) {
    const clock = options.clock ?? systemClock;
    if (options.tls) createSecureContext({ ca: options.tls.ca, cert: options.tls.cert, key: options.tls.key });
    this.#connections = options.connections ?? 1;
    this.#options = {
      clock,
      wheel: new TimerWheel(clock),
      tls: options.tls,
      keepalive: options.keepalive ?? defaultKeepalive,
      compression: options.compression ?? 'none',
      maxMessageBytes: options.maxMessageBytes ?? defaultMaxMessageBytes,
      maxReconnectMs: options.maxReconnectMs ?? defaultMaxReconnectMs,
    };
  }

  connect(address: string): Link {
    const links = Array.from({ length: this.#connections }, () => new H2Link(address, this.#options));
    return links.length === 1 ? links[0]! : new LinkBundle(links);
  }
}
