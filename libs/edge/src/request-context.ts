import { CallContext, type Clock, type Live } from '@holdfast/core';
import type { FastifyRequest } from 'fastify';
import { admittedOf } from './admission.js';
import type { EdgeSpec } from './edge-spec.js';
import type { IdentitySeal } from './identity.js';
import { RequestWatch } from './request-watch.js';

export interface RequestContextDeps {
  readonly spec: Live<EdgeSpec>;
  /** Undefined where services are not told on whose behalf they are called. */
  readonly seal: IdentitySeal | undefined;
  readonly clock: Clock;
}

/** What the calls that are made for a request carry: its deadline, its id and trace, its identity, and word of its end. */
export function contextOf(request: FastifyRequest, deps: RequestContextDeps): CallContext {
  const { spec, seal, clock } = deps;
  const { headers } = request;
  const admitted = admittedOf(request);
  const timeout = timeoutOf(headers['x-request-timeout'], spec.value.maxRequestTimeout);
  const watch = RequestWatch.of(request);
  return new CallContext({
    deadline: timeout === undefined ? Infinity : clock.now() + timeout,
    ...(watch && { signal: () => watch.cancellation(timeout) }),
    requestId: admitted?.requestId,
    trace: watch?.trace,
    identity: seal && admitted?.identity && seal.seal(admitted.identity),
  });
}

/** `X-Request-Timeout` in milliseconds; what is not a whole number above 0 is as if it were not there. */
function timeoutOf(header: string | string[] | undefined, most: number): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) return undefined;
  const ms = Number(header);
  return ms > 0 ? Math.min(ms, most) : undefined;
}
