import { createServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { cannotListen } from '../server/cannot-listen.js';
import type { RpcServerOptions } from '../server/rpc-server.js';
import { defaultServerKeepalive, defaultMaxMessageBytes, type ServerTls } from '../transport-options.js';

/**
 * Makes `server` listen.
 * @returns the port
 * @throws StartupError where the address cannot be had
 */
export async function listen(server: grpc.Server, host: string, port: number, tls?: ServerTls): Promise<number> {
  // grpc-js says no more than that it failed, and prints it; node says why.
  if (port !== 0) await probe(host, port);
  return new Promise((resolve, reject) => {
    server.bindAsync(addressOf(host, port), credentialsOf(tls), (error, bound) => {
      if (error) reject(cannotListen(host, port, error));
      else resolve(bound);
    });
  });
}

/** How grpc-js names an address. */
function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function probe(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once('error', (error) => reject(cannotListen(host, port, error)));
    listener.listen({ host, port }, () => listener.close(() => resolve()));
  });
}

function credentialsOf(tls: ServerTls | undefined): grpc.ServerCredentials {
  if (!tls) return grpc.ServerCredentials.createInsecure();
  const pair = { cert_chain: tls.cert, private_key: tls.key };
  return grpc.ServerCredentials.createSsl(tls.ca ?? null, [pair], tls.ca !== undefined);
}

/** What grpc-js wants to hear of the options. */
export function channelOptionsOf(options: RpcServerOptions): grpc.ServerOptions {
  const keepalive = options.keepalive ?? defaultServerKeepalive;
  return {
    // Channelz stays on, though nobody looks at it: without it grpc-js does not know its connections, and
    // `forceShutdown` ends none of them.
    'grpc.max_receive_message_length': options.maxMessageBytes ?? defaultMaxMessageBytes,
    'grpc.keepalive_time_ms': keepalive.everyMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    ...(options.maxConcurrentStreams !== undefined && {
      'grpc.max_concurrent_streams': options.maxConcurrentStreams,
    }),
    ...(options.maxConnectionAgeMs !== undefined && {
      'grpc.max_connection_age_ms': options.maxConnectionAgeMs,
    }),
  };
}
