import type { Server } from 'node:http';
import { StartupError, type Clock } from '@holdfast/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';

/**
 * Stops accepting, lets the requests that run end, and cuts off after `boundMs` what has not: a client that never reads
 * its answer must not keep the process.
 */
export async function closeHttp(app: NestFastifyApplication, boundMs: number, clock: Clock): Promise<void> {
  const server = app.getHttpServer() as Server;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const timer = clock.after(boundMs, () => server.closeAllConnections());
  await closed;
  timer.cancel();
}

/**
 * Listens and gives back the port.
 * @throws StartupError where the address cannot be had, naming the settings to change
 */
export async function listen(
  app: NestFastifyApplication,
  host: string,
  port: number,
  setting: { host: string; port: string },
): Promise<number> {
  try {
    // Not `app.listen`: Nest would log the failure that is about to be told in a sentence.
    await (app.getHttpAdapter().getInstance() as FastifyInstance).listen({ host, port });
  } catch (error) {
    throw unusable(error, host, port, setting);
  }
  const address = (app.getHttpServer() as Server).address();
  return typeof address === 'object' && address ? address.port : port;
}

function unusable(error: unknown, host: string, port: number, setting: { host: string; port: string }): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new StartupError(
        `${setting.port} ${port} on ${host} is already in use; stop what listens there, choose another, or use 0 for any free port.`,
      );
    case 'EACCES':
      return new StartupError(`${setting.port} ${port} needs rights this user lacks; choose one from 1024 up.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupError(`${setting.host} "${host}" is no address of this machine; use 127.0.0.1 or 0.0.0.0.`);
    default:
      return error;
  }
}

/** `http://host:port`, for IPv6 too. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
