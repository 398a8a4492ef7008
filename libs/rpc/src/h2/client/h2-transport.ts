import { createSecureContext } from 'node:tls';
import { systemClock, TimerWheel } from '@holdfast/core';
import { defaultKeepalive, defaultMaxMessageBytes, type TransportOptions } from '../../transport-options.js';
import type { Link, Transport } from '../../transport.js';
import { H2Link, type H2LinkOptions } from './h2-link.js';

const defaultMaxReconnectMs = 3_000;

/** gRPC over our own HTTP/2 (`docs/transport.md`). On the wire it is like any other: peers may use whatever they like. */
export class H2Transport implements Transport {
  readonly name = 'h2';
  readonly #options: H2LinkOptions;

  /** @throws Error when the TLS material cannot be used */
  constructor(options: TransportOptions = {}) {
    const clock = options.clock ?? systemClock;
    if (options.tls) createSecureContext({ ca: options.tls.ca, cert: options.tls.cert, key: options.tls.key });
    this.#options = {
      clock,
      wheel: new TimerWheel(clock),
      tls: options.tls,
      keepalive: options.keepalive ?? defaultKeepalive,
      maxMessageBytes: options.maxMessageBytes ?? defaultMaxMessageBytes,
      maxReconnectMs: options.maxReconnectMs ?? defaultMaxReconnectMs,
    };
  }

  connect(address: string): Link {
    return new H2Link(address, this.#options);
  }
}
