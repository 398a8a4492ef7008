import { parentPort, type MessagePort } from 'node:worker_threads';
import { unpacked } from './consul-body.js';
import { splicesBetween, type Listing, type Splice } from './consul-listing.js';
import { fromHealth } from './consul-wire.js';

/** Asks the worker for the instances in an answer of `GET /v1/health/service/:name`. */
export interface WorkOrder {
  readonly ticket: number;
  readonly service: string;
  /** Which of the service's answers the sender has now; 0 for none. */
  readonly base: number;
  /** The answer's body, piece by piece. */
  readonly pieces: readonly Uint8Array[];
  /** Whether they are packed by gzip. */
  readonly isPacked: boolean;
}

/** What the answer changes of the base or, where `whole` is true, of nothing; or why it cannot be read. */
export type WorkResult = { readonly ticket: number } & (
  | { readonly version: number; readonly whole: boolean; readonly splices: readonly Splice[] }
  | { readonly problem: string }
);

/**
 * Reads answers in a thread of its own. It keeps the last one of each service and gives back what has changed, since to
 * hand 10,000 instances from thread to thread blocks the receiver for longer than it takes to apply a change.
 */
export class ListingReader {
  readonly #known = new Map<string, { readonly version: number; readonly listing: Listing }>();
  #version = 0;

  read({ ticket, service, base, pieces, isPacked }: WorkOrder): WorkResult {
    try {
      const listing = fromHealth(service, JSON.parse(unpacked(pieces, isPacked)));
      const known = this.#known.get(service);
      const version = ++this.#version;
      this.#known.set(service, { version, listing });
      const whole = known?.version !== base;
      return { ticket, version, whole, splices: splicesBetween(whole ? [] : known.listing, listing) };
    } catch (error) {
      return { ticket, problem: error instanceof Error ? error.message : String(error) };
    }
  }
}

function serve(port: MessagePort): void {
  const reader = new ListingReader();
  port.on('message', (order: WorkOrder) => port.postMessage(reader.read(order)));
}

// Null where this is not a worker: a spec, for one.
if (parentPort) serve(parentPort);
