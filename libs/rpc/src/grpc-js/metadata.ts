import * as grpc from '@grpc/grpc-js';
import type { Metadata } from '../transport.js';

const none = new grpc.Metadata();

/**
 * `metadata` as grpc-js wants it. The result may be shared between calls: grpc-js copies it before it adds to it.
 * @throws Error for a key or value that cannot be a header
 */
export function toGrpcMetadata(metadata: Metadata): grpc.Metadata {
  let result: grpc.Metadata | undefined;
  for (const key in metadata) {
    const value = metadata[key];
    if (value === undefined) continue;
    result ??= new grpc.Metadata();
    result.set(key, typeof value === 'string' || Buffer.isBuffer(value) ? value : Buffer.from(value));
  }
  return result ?? none;
}

/** Headers that belong to HTTP and to gRPC itself, not to whoever calls or answers. */
const ownedByProtocol =
  /^(?::.*|content-type|date|grpc-(?:status|message|encoding|accept-encoding|status-details-bin))$/;

/** What the peer sent, without what belongs to the protocol. Values of a key that came more than once are joined by commas. */
export function fromGrpcMetadata(metadata: grpc.Metadata): Metadata {
  const result: Record<string, string | Uint8Array> = {};
  for (const [key, values] of Object.entries(metadata.toJSON() as Record<string, grpc.MetadataValue[]>)) {
    const [first] = values;
    if (first === undefined || ownedByProtocol.test(key)) continue;
    result[key] = typeof first === 'string' ? values.join(', ') : first;
  }
  return result;
}

/** True where nothing at all was received: grpc-js's own statuses look so, a peer's carry at least its content type. */
export function isEmpty(metadata: grpc.Metadata): boolean {
  for (const _ in metadata.toJSON()) return false;
  return true;
}
