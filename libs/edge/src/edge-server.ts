import type { Socket } from 'node:net';
import type { Clock } from '@holdfast/core';
import { CallContext } from '@holdfast/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from './admission.js';
import { addEtags } from './etag.js';
import { problemOf, sendProblem } from './problem.js';
import { contextOf, type RequestContextDeps } from './request-context.js';
import { RequestWatch, type RequestObserver } from './request-watch.js';
import { securityHeaders } from './security-headers.js';

/** Largest body that is read, in bytes, where the app does not say otherwise. */
const MAX_BODY_BYTES = 64 * 1024;
/** Longest request line and headers together, in bytes; node:http answers 431 to more. */
const MAX_HEADER_BYTES = 16 * 1024;
/** How long a client may take to send its headers, and its whole request, in milliseconds: slow ones hold a connection each. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** How often connections are looked at for the two above, in milliseconds. */
const CHECK_MS = 1_000;
/**
 * How long nothing may move on a connection, within a request or between two, in milliseconds: a client that never reads its answer
 * is cut off then. Longer than any deadline that a client can ask for by default, than the beats of server-sent events, and than
 * load balancers keep theirs (60 s), or they would use a closed one.
 */
const IDLE_MS = 120_000;

export interface EdgeServerOptions extends RequestContextDeps {
  readonly admission: Admission;
  /** Whether the process is on its way out. */
  readonly draining: () => boolean;
  /** Proxies that are believed; undefined for none. */
  readonly trustProxy: readonly string[] | undefined;
  /** In bytes. @default 64 Ki */
  readonly bodyLimit?: number | undefined;
  /** Watches the requests. @default nobody does */
  readonly observer?: RequestObserver | undefined;
  readonly clock: Clock;
}

/**
 * Fastify as the edge of a process that is replaced under load and that strangers talk to: sizes and times are bounded, every request
 * passes the door and runs in a {@link CallContext}, and while the process drains, each answer asks its client to connect anew,
 * so that no connection closes under one.
 */
export function edgeServer(options: EdgeServerOptions): FastifyAdapter {
  const { admission, draining, observer, clock } = options;
  const adapter = new FastifyAdapter({
    bodyLimit: options.bodyLimit ?? MAX_BODY_BYTES,
    trustProxy: options.trustProxy ? [...options.trustProxy] : false,
    requestTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: CHECK_MS,
    },
    // A request that was accepted is answered, even while closing.
    return503OnClosing: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 1_024 },
    // What Fastify refuses before any route is found: a malformed or overlong URL.
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      RequestWatch.begin(request, reply, observer, clock);
      sendProblem(error, reply.headers(securityHeaders));
    },
    clientErrorHandler: refuseConnection,
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  // IDLE_MS holds between requests too: a bound of its own there makes node:http set up two timers for each request, at 2 µs.
  // Fastify takes 0 for its default.
  fastify.server.keepAliveTimeout = 0;
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(securityHeaders);
    RequestWatch.begin(request, reply, observer, clock);
    try {
      const waiting = admission.admit(request, reply);
      if (waiting) void enterAfter(waiting, reply, done);
      else done();
    } catch (error) {
      sendProblem(error, reply);
    }
  });
  // As late as possible, and by a callback: what follows runs inside of `run`, and a parsed body would have lost it.
  fastify.addHook('preHandler', (request, reply, done) => {
    if (draining()) reply.header('connection', 'close');
    CallContext.run(contextOf(request, options), done);
  });
  addEtags(fastify);
  return adapter;
}

async function enterAfter(waiting: Promise<void>, reply: FastifyReply, done: () => void): Promise<void> {
  try {
    await waiting;
  } catch (error) {
    return sendProblem(error, reply);
  }
  done();
}

/** What node:http finds wrong before there is a request, by its code; anything else is a 400. */
const refusals: Readonly<Record<string, readonly [status: number, line: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request took too long to arrive.'],
};

/** Answers what is not HTTP, too large or too slow, on the bare connection, and closes it. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, line, message] = refusals[error.code ?? ''] ?? [400, 'Bad Request', 'This is not an HTTP request.'];
  const body = JSON.stringify(problemOf(Object.assign(new Error(message), { statusCode: status })));
  const headers = `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`HTTP/1.1 ${status} ${line}\r\n${headers}\r\n\r\n${body}`);
}
