import {
  Cancellation,
  Cancelled,
  Code,
  codeFacts,
  DeadlineExceeded,
  type CallObserver,
  type Clock,
  type Timer,
  type TraceContext,
} from '@holdfast/core';
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
  /** Undefined for one that never came to the door. */
  readonly requestId: string | undefined;
  readonly trace: TraceContext | undefined;
}

/** Watches the requests that come in. */
export interface RequestObserver {
  /** The observer of a route's requests. `route` is its template; undefined where none was found. */
  route(method: string, route: string | undefined): CallObserver;
  /** A request is over. */
  request(facts: RequestFacts): void;
}

/** W3C Trace Context, level 1, section 3.2; a trace or a parent of zeros is none. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const MAX_TRACESTATE = 512;
const CLIENT_GONE = codeFacts[Code.CANCELLED].http;
const WATCH = Symbol('watch');

/**
 * A request from its headers on until it is over, whatever answers it, or nobody waits for its answer any more: tells who observes,
 * and cancels what still works for it. One listener for both, as each costs the request.
 */
export class RequestWatch {
  /** The trace that the calls made for the request belong to: its client's, or a span in it where the process records traces. */
  readonly trace: TraceContext | undefined;
  readonly #clock: Pick<Clock, 'after'>;
  #cancellation: Cancellation | undefined;
  #timer: Timer | undefined;
  /** Whether the client has hung up without its answer. */
  #left = false;

  private constructor(trace: TraceContext | undefined, clock: Pick<Clock, 'after'>) {
    this.trace = trace;
    this.#clock = clock;
  }

  static begin(
    request: FastifyRequest,
    reply: FastifyReply,
    observer: RequestObserver | undefined,
    clock: Pick<Clock, 'now' | 'after'>,
  ): void {
    const { method, url, ip: client } = request;
    const route = request.routeOptions.url;
    const startedAt = clock.now();
    const observed = observer?.route(method, route);
    const sent = sentTrace(request.headers);
    const trace = observed ? observed.begin(sent) : sent;
    const watch = new RequestWatch(trace, clock);
    (request as Slots)[WATCH] = watch;
    // Not `onResponse`, which never comes for a client that has hung up.
    reply.raw.on('close', () => {
      const answered = reply.raw.writableFinished;
      watch.#end(answered);
      if (!observer || !observed) return;
      const status = answered ? reply.statusCode : CLIENT_GONE;
      const durationMs = clock.now() - startedAt;
      observed.end(status, durationMs, trace);
      const id = reply.getHeader('x-request-id');
      const requestId = typeof id === 'string' ? id : undefined;
      observer.request({ method, path: pathOf(url), route, status, durationMs, client, requestId, trace });
    });
  }

  /** The watch of `request`; undefined where it came in by another door, as in a spec. */
  static of(request: object): RequestWatch | undefined {
    return (request as Slots)[WATCH];
  }

  /** Aborts when the client hangs up before it has its answer, or `timeoutMs` pass; to be asked for once. */
  cancellation(timeoutMs: number | undefined): Cancellation {
    const cancellation = (this.#cancellation = new Cancellation());
    if (this.#left) cancellation.abort(clientGone());
    else if (timeoutMs !== undefined) {
      const late = () => cancellation.abort(new DeadlineExceeded('The request took longer than its caller waits.'));
      this.#timer = this.#clock.after(timeoutMs, late);
    }
    return cancellation;
  }

  #end(answered: boolean): void {
    this.#timer?.cancel();
    if (answered) return;
    this.#left = true;
    this.#cancellation?.abort(clientGone());
  }
}

const clientGone = () => new Cancelled('The client has gone away.');

interface Slots {
  [WATCH]?: RequestWatch;
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
