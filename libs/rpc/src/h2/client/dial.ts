import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { ClientTls } from '../../transport-options.js';

/** `host:port`, IPv6 in brackets, as its parts. */
export function partsOf(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) };
}

/**
 * Opens a socket to `address`, for HTTP/2: over TLS the peer must agree to it by ALPN (RFC 9113 §3.2), in plain text it is
 * known to speak it (§3.3).
 * @param done told once: when the socket is ready, or with the error that it is not to be had
 */
export function dial(address: string, tls: ClientTls | undefined, done: (error: Error | undefined) => void): Socket {
  const { host, port } = partsOf(address);
  if (!tls) {
    const socket = connectTcp({ host, port, noDelay: true });
    socket.once('error', done);
    socket.once('connect', () => {
      socket.off('error', done);
      done(undefined);
    });
    return socket;
  }
  const name = tls.serverName ?? host;
  const options: ConnectionOptions = {
    host,
    port,
    ALPNProtocols: ['h2'],
    ...(isIP(name) === 0 && { servername: name }),
    ...(tls.ca && { ca: tls.ca }),
    ...(tls.cert && { cert: tls.cert }),
    ...(tls.key && { key: tls.key }),
  };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  socket.once('error', done);
  socket.once('secureConnect', () => {
    socket.off('error', done);
    if (socket.alpnProtocol === 'h2') return done(undefined);
    socket.destroy();
    done(new Error('it does not speak HTTP/2'));
  });
  return socket;
}
