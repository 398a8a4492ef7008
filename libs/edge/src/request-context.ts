import { CallContext, Cancellation, Cancelled, DeadlineExceeded, type Clock, type Live } from '@holdfast/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { admittedOf } from './admission.js';
import type { EdgeSpec } from './edge-spec.js';
import type { IdentitySeal } from './identity.js';
import { traceOf } from './request-watch.js';

export interface RequestContextDeps {
  readonly spec: Live<EdgeSpec>;
  /** Undefined where services are not told on whose behalf they are called. */
  readonly seal: IdentitySeal | undefined;
  readonly clock: Clock;
}

/** What the calls that are made for a request carry: its deadline, its id and trace, its identity, and word of its end. */
export function contextOf(request: FastifyRequest, reply: FastifyReply, deps: RequestContextDeps): CallContext {
  const { spec, seal, clock } = deps;
  const { headers } = request;
  const admitted = admittedOf(request);
  const timeout = timeoutOf(headers['x-request-timeout'], spec.value.maxRequestTimeout);
  return new CallContext({
    ...(timeout !== undefined && { deadline: clock.now() + timeout }),
    signal: () => cancellationOf(reply, timeout, clock),
    requestId: admitted?.requestId,
    trace: traceOf(request),
    identity: seal && admitted?.identity && seal.seal(admitted.identity),
  });
}

/** `X-Request-Timeout` in milliseconds; what is not a whole number above 0 is as if it were not there. */
function timeoutOf(header: string | string[] | undefined, most: number): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) return undefined;
  const ms = Number(header);
  return ms > 0 ? Math.min(ms, most) : undefined;
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
