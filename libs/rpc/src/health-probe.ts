import { Code, ServiceError, systemClock, type Clock, type Unsubscribe } from '@holdfast/core';
import { addressOf, tcpProbe, type Probe } from '@holdfast/discovery';
import type { RpcMethod } from './method.js';
import type { Peer } from './peer.js';
import type { Health, HealthCheck } from './balancer/prober.js';
import type { Link, Transport } from './transport.js';

const PROBE_TIMEOUT_MS = 1_000;

const statuses: readonly (Health | undefined)[] = [undefined, 'serving', 'failing'];

/**
 * `grpc.health.v1.Health/Check` of the whole server. Its messages are one field each, so they are written here by hand:
 * the request is empty, and in the answer field 1 is 1 for SERVING, 2 for NOT_SERVING, and more where it does not know.
 */
const check: RpcMethod<void, Health> = {
  path: '/grpc.health.v1.Health/Check',
  key: 'check',
  requestStream: false,
  responseStream: false,
  idempotent: true,
  encodeRequest: () => Buffer.alloc(0),
  decodeRequest: () => undefined,
  encodeResponse: (health) => Buffer.from([0x08, health === 'serving' ? 1 : 2]),
  decodeResponse: ([field, status]) => (field === 0x08 && statuses[status!]) || 'unknown',
};

/** The same, and each change that follows, until somebody ends it. */
const watch: RpcMethod<void, Health> = {
  ...check,
  path: '/grpc.health.v1.Health/Watch',
  key: 'watch',
  responseStream: true,
};

/**
 * Asks an instance that speaks gRPC for its health, any other whether it accepts connections. A draining one says no; one
 * that has no health service answers all the same.
 */
export function healthProbe(transport: Transport): Probe {
  return async (instance, signal) => {
    if (instance.protocol !== 'grpc') return tcpProbe(instance, signal);
    const link = transport.connect(addressOf(instance));
    const deadline = systemClock.now() + PROBE_TIMEOUT_MS;
    try {
      return (await link.unary(check, undefined, { metadata: {}, deadline, signal })) !== 'failing';
    } catch (error) {
      return healthOf(error) !== 'failing';
    } finally {
      link.close();
    }
  };
}

/** Asks a peer for its health over the connection that its calls take, which is so probed, too. */
export function peerHealthCheck(clock: Clock): HealthCheck<Peer> {
  return (peer, report) => {
    const asked = peer.link.unary(check, undefined, { metadata: {}, deadline: clock.now() + PROBE_TIMEOUT_MS });
    asked.then(report, (error: unknown) => report(healthOf(error)));
  };
}

/**
 * Follows what the server behind `link` says of its health, over one stream of the connection that its calls take: who
 * drains says so before the registry knows. One that has no health service says nothing, and a stream that ends is left
 * at that: it ends with its connection, and what comes after that is another.
 */
export function watchHealth(link: Link, said: (health: Health) => void): Unsubscribe {
  const stop = new AbortController();
  const follow = async () => {
    const call = { metadata: {}, deadline: Infinity, signal: stop.signal };
    for await (const health of link.stream(watch, [undefined], call)) {
      if (stop.signal.aborted) return;
      said(health);
    }
  };
  follow().catch(() => undefined);
  return () => stop.abort(new ServiceError(Code.CANCELLED, 'The connection is no longer used.'));
}

/** A server without the health service, or one that wants more than we send, has answered: it lives, and more is not known. */
function healthOf(error: unknown): Health {
  const code = error instanceof ServiceError ? error.code : Code.UNKNOWN;
  const unasked: readonly Code[] = [Code.UNIMPLEMENTED, Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED];
  return unasked.includes(code) ? 'unknown' : 'failing';
}
