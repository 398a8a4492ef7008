import * as grpc from '@grpc/grpc-js';
import { systemClock, type Clock } from '@holdfast/core';
import {
  defaultKeepalive,
  defaultMaxMessageBytes,
  type ClientTls,
  type TransportOptions,
} from '../transport-options.js';
import type { Link, Transport } from '../transport.js';
import { GrpcJsLink } from './grpc-js-link.js';

const defaultMaxReconnectMs = 3_000;
/** The longest delay that a timer of Node.js takes, in milliseconds: as good as never. */
const never = 2 ** 31 - 1;

/**
 * gRPC by `@grpc/grpc-js`, with all that it does by itself above one connection turned off: balancing, retries, service
 * configuration and shared connections are the business of the layers above.
 */
export class GrpcJsTransport implements Transport {
  readonly name = 'grpc-js';
  readonly #credentials: grpc.ChannelCredentials;
  readonly #channelOptions: grpc.ChannelOptions;
  readonly #clock: Clock;
  readonly #maxReconnectMs: number;

  /** @throws Error when the TLS material cannot be used */
  constructor(options: TransportOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#credentials = credentialsOf(options.tls);
    this.#maxReconnectMs = options.maxReconnectMs ?? defaultMaxReconnectMs;
    this.#channelOptions = channelOptionsOf(options, this.#maxReconnectMs);
  }

  connect(address: string): Link {
    const channel = new grpc.Channel(address, this.#credentials, this.#channelOptions);
    return new GrpcJsLink(address, channel, this.#clock, this.#maxReconnectMs);
  }
}

function credentialsOf(tls: ClientTls | undefined): grpc.ChannelCredentials {
  if (!tls) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}

function channelOptionsOf(options: TransportOptions, maxReconnectMs: number): grpc.ChannelOptions {
  const keepalive = options.keepalive ?? defaultKeepalive;
  return {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    // Without a buffer for retries, a message counts as sent when the connection took it, not when it was buffered:
    // that is what holds a fast producer back.
    'grpc.per_rpc_retry_buffer_size': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
    // Peers are reached directly; a proxy set for the outside world must not get in between.
    'grpc.enable_http_proxy': 0,
    'grpc.client_idle_timeout_ms': never,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': maxReconnectMs,
    // A host name that moved is looked up again with the next attempt to connect; the default is 30 s later.
    'grpc.dns_min_time_between_resolutions_ms': 1_000,
    'grpc.max_receive_message_length': options.maxMessageBytes ?? defaultMaxMessageBytes,
    ...(options.compression === 'gzip' && {
      'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
    }),
    'grpc.keepalive_time_ms': keepalive.everyMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    'grpc.keepalive_permit_without_calls': 1,
    ...(options.tls?.serverName !== undefined && {
      'grpc.ssl_target_name_override': options.tls.serverName,
      'grpc.default_authority': options.tls.serverName,
    }),
  };
}
