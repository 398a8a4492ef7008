import { constants, gzipSync } from 'node:zlib';

/** Shorter messages are sent as they are, in bytes: gzip's own frame and the time for it cost more than they save. */
const leastBytes = 1_024;
/** What packing must leave of a message to be worth the time to unpack it. */
const worthwhile = 0.9;

/** The encodings that we can read, for `grpc-accept-encoding` (grpc/grpc `doc/compression.md`). */
export const acceptedEncodings = 'identity,gzip';

/** Whether a peer that sent this `grpc-accept-encoding` can read gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  return header !== undefined && header.split(',').some((name) => name.trim() === 'gzip');
}

/**
 * A message packed by gzip, at its fastest; undefined where that does not pay. It holds up the event loop while it works:
 * 7 ms for a megabyte of JSON, 18 for one of noise.
 */
export function pack(message: Buffer): Buffer | undefined {
  if (message.length < leastBytes) return undefined;
  const packed = gzipSync(message, { level: constants.Z_BEST_SPEED });
  return packed.length < message.length * worthwhile ? packed : undefined;
}
