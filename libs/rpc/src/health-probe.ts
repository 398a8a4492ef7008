import { Code, ServiceError, systemClock, type Clock } from '@holdfast/core';
import { addressOf, tcpProbe, type Probe } from '@holdfast/discovery';
import type { RpcMethod } from './method.js';
import type { Peer } from './peer.js';
import type { Health, HealthCheck } from './balancer/prober.js';
import type { Transport } from './transport.js';

const PROBE_TIMEOUT_MS = 1_000;

/**
 * `grpc.health.v1.Health/Check` of the whole server. Its messages are one field each, so they are written here by hand:
 * the request is empty, and the answer SERVING is field 1 with value 1.
 */
const check: RpcMethod<void, boolean> = {
  path: '/grpc.health.v1.Health/Check',
  key: 'check',
  requestStream: false,
  responseStream: false,
  idempotent: true,
  encodeRequest: () => Buffer.alloc(0),
  decodeRequest: () => undefined,
  encodeResponse: (serving) => Buffer.from([0x08, serving ? 1 : 2]),
  decodeResponse: (bytes) => bytes[0] === 0x08 && bytes[1] === 1,
};

/** Asks an instance that speaks gRPC for its health, any other whether it accepts connections. A draining one says no. */
export function healthProbe(transport: Transport): Probe {
  return async (instance, signal) => {
    if (instance.protocol !== 'grpc') return tcpProbe(instance, signal);
    const link = transport.connect(addressOf(instance));
    try {
      return await link.unary(check, undefined, {
        metadata: {},
        deadline: systemClock.now() + PROBE_TIMEOUT_MS,
        signal,
      });
    } finally {
      link.close();
    }
  };
}

/** Asks a peer for its health over the connection that its calls take, which is so probed, too. */
export function peerHealthCheck(clock: Clock): HealthCheck<Peer> {
  return (peer, report) => {
    const asked = peer.link.unary(check, undefined, { metadata: {}, deadline: clock.now() + PROBE_TIMEOUT_MS });
    asked.then(
      (serving) => report(serving ? 'serving' : 'failing'),
      (error: unknown) => report(healthOf(error)),
    );
  };
}

/** A server without the health service, or one that wants more than we send, has answered: it lives, and more is not known. */
function healthOf(error: unknown): Health {
  const code = error instanceof ServiceError ? error.code : Code.UNKNOWN;
  const unasked: readonly Code[] = [Code.UNIMPLEMENTED, Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED];
  return unasked.includes(code) ? 'unknown' : 'failing';
}
