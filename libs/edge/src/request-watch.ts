import { CallContext, Code, codeFacts, type CallObserver, type Clock, type TraceContext } from '@holdfast/core';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What is told of a request when it is over: where it went and how it ended, and nothing that it carried. */
export interface RequestFacts {
  readonly method: string;
  /** The path as it was asked for, without its query. */
  readonly path: string;
  /** The template that it matched; undefined where none did. */
  readonly route: string | undefined;
  readonly status: number;
  readonly durationMs: number;
  /** The address of the client, as far as the edge can tell. */
  readonly client: string;
}

/** Watches the requests that come in. */
export interface RequestObserver {
  /** The observer of a route's requests. `route` is its template; undefined where none was found. */
  route(method: string, route: string | undefined): CallObserver;
  /** A request is over. It is told in the request's context. */
  request(facts: RequestFacts): void;
}

/** W3C Trace Context, level 1, section 3.2; a trace or a parent of zeros is none. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const MAX_TRACESTATE = 512;
const CLIENT_GONE = codeFacts[Code.CANCELLED].http;
const WATCHED = Symbol('watched');

interface Slots {
  [WATCHED]?: { readonly trace: TraceContext | undefined };
}

/** The trace that the calls made for `request` belong to: its client's, or a span in it where the process records traces. */
export function traceOf(request: FastifyRequest): TraceContext | undefined {
  const watched = (request as Slots)[WATCHED];
  return watched ? watched.trace : sentTrace(request.headers);
}

/** Tells the observer of a request from its headers on until it is over, whatever answers it, or nobody waits for its answer any more. */
export function watchRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  observer: RequestObserver,
  clock: Pick<Clock, 'now'>,
): void {
  const startedAt = clock.now();
  const { method, url, ip: client } = request;
  const route = request.routeOptions.url;
  const observed = observer.route(method, route);
  const trace = observed.begin(sentTrace(request.headers));
  (request as Slots)[WATCHED] = { trace };
  // Not `onResponse`, which never comes for a client that has hung up.
  reply.raw.once('close', () => {
    const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_GONE;
    const durationMs = clock.now() - startedAt;
    observed.end(status, durationMs, trace);
    const id = reply.getHeader('x-request-id');
    // The event comes from the socket, outside of what the line is to name; and who was sent away at the door never had a context.
    const context = new CallContext({ requestId: typeof id === 'string' ? id : undefined, trace });
    CallContext.run(context, () => observer.request({ method, path: pathOf(url), route, status, durationMs, client }));
  });
}

function sentTrace(headers: FastifyRequest['headers']): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return undefined;
  const usable = typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE;
  return usable ? { traceparent, tracestate } : { traceparent };
}

/** Without the query, which is where secrets in URLs are. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}
