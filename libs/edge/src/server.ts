// What only a process with an HTTP edge needs: it is 30 MB that a service does without.
export { Edge, type EdgeDeps, type EdgeOptions } from './edge.js';
export type { OpenApiOptions } from './openapi.js';
export { ApiStream } from './streaming/api-stream.js';
export { MemoryIdempotencyStore, type MemoryIdempotencyOptions } from './idempotency-store.js';
