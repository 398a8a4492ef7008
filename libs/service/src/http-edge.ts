import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import {
  CallContext,
  Cancellation,
  Cancelled,
  DeadlineExceeded,
  StartupError,
  type Clock,
  type TraceContext,
} from '@holdfast/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Telemetry } from '@holdfast/telemetry';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { watchRequest } from './http-watch.js';
import type { Lifecycle } from './lifecycle.js';
import { sendProblem } from './problem-filter.js';

/** Longest deadline that a caller can ask for, in milliseconds. */
const MAX_REQUEST_TIMEOUT_MS = 60_000;
const MAX_BODY_BYTES = 64 * 1024;
const REQUEST_ID = /^[\w.:-]{1,128}$/;
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/**
 * Fastify as the edge of a process that is replaced under load: every request runs in a {@link CallContext}, and while
 * the process drains, each request's answer asks its client to connect anew, so that no connection closes under one.
 */
export function httpEdge(lifecycle: Lifecycle, clock: Clock, telemetry: Telemetry): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    // A request that was accepted is answered, even while closing.
    return503OnClosing: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 1_024 },
    // What Fastify refuses before any route is found: a malformed or overlong URL.
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      watchRequest(request, reply, telemetry, clock);
      sendProblem(error, reply);
    },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  fastify.decorateRequest('callContext', null);
  fastify.addHook('onRequest', (request, reply, done) => {
    request.callContext = contextOf(request, reply, clock, telemetry);
    watchRequest(request, reply, telemetry, clock);
    done();
  });
  // As late as possible, and by a callback: what follows runs inside of `run`, and a parsed body would have lost it.
  fastify.addHook('preHandler', (request, reply, done) => {
    if (lifecycle.phase.value === 'draining') reply.header('connection', 'close');
    CallContext.run(request.callContext!, done);
  });
  return adapter;
}

function contextOf(request: FastifyRequest, reply: FastifyReply, clock: Clock, telemetry: Telemetry): CallContext {
  const { headers } = request;
  const id = headers['x-request-id'];
  const timeout = timeoutOf(headers['x-request-timeout']);
  return new CallContext({
    ...(timeout !== undefined && { deadline: clock.now() + timeout }),
    signal: () => cancellationOf(reply, timeout, clock),
    requestId: typeof id === 'string' && REQUEST_ID.test(id) ? id : randomUUID(),
    trace: telemetry.route(request.method, request.routeOptions.url).begin(traceOf(headers)),
  });
}

/** `X-Request-Timeout` in milliseconds; what is not a whole number above 0 is as if it were not there. */
function timeoutOf(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) return undefined;
  const ms = Number(header);
  return ms > 0 ? Math.min(ms, MAX_REQUEST_TIMEOUT_MS) : undefined;
}

function traceOf(headers: FastifyRequest['headers']): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return undefined;
  return typeof tracestate === 'string' ? { traceparent, tracestate } : { traceparent };
}

/** Aborts when the client hangs up before it has its answer, or its deadline passes. */
function cancellationOf(reply: FastifyReply, timeoutMs: number | undefined, clock: Clock): Cancellation {
  const cancellation = new Cancellation();
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.after(timeoutMs, () =>
          cancellation.abort(new DeadlineExceeded('The request took longer than its caller waits.')),
        );
  reply.raw.once('close', () => {
    timer?.cancel();
    if (!reply.raw.writableFinished) cancellation.abort(new Cancelled('The client has gone away.'));
  });
  return cancellation;
}

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
