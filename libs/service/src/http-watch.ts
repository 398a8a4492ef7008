import { CallContext, Code, codeFacts, type Clock } from '@holdfast/core';
import type { Telemetry } from '@holdfast/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's work runs in; null until its headers have been read. */
    callContext: CallContext | null;
  }
}

const CLIENT_GONE = codeFacts[Code.CANCELLED].http;

/** Tells telemetry of a request when it is over, whatever answered it, or nobody waits for its answer any more. */
export function watchRequest(request: FastifyRequest, reply: FastifyReply, telemetry: Telemetry, clock: Clock): void {
  const startedAt = clock.now();
  // Not `onResponse`, which never comes for a client that has hung up.
  reply.raw.once('close', () => {
    const { method, routeOptions, callContext, url, ip: client } = request;
    const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_GONE;
    const durationMs = clock.now() - startedAt;
    const route = routeOptions.url;
    telemetry.route(method, route).end(status, durationMs, callContext?.trace);
    const log = () => telemetry.access.request({ method, path: pathOf(url), route, status, durationMs, client });
    // The event comes from the socket, outside of what the line is to name.
    if (callContext) CallContext.run(callContext, log);
    else log();
  });
}

/** Without the query, which is where secrets in URLs are. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}
