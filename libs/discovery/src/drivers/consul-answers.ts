import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { ConsulBody } from './consul-body.js';
import { spliced, type Listing } from './consul-listing.js';
import { fromHealth } from './consul-wire.js';
import type { WorkOrder, WorkResult } from './consul-worker.js';

/**
 * From this size on an answer is read in another thread, in bytes: some 200 instances. Below it, reading blocks the event
 * loop for 2 ms at most; of 10,000 instances it would be for more than a tenth of a second. Measured by bench/registry.
 */
const LARGE_BYTES = 256 * 1_024;

interface Pending {
  readonly base: Listing;
  resolve(listing: Listing): void;
  reject(error: Error): void;
}

/**
 * Makes instances of Consul's answers. Large ones are read by a worker thread, which is started with the first of them and
 * sends what has changed since the last. Instances that have not changed then stay the same objects.
 */
export class ConsulAnswers {
  readonly #known = new Map<string, { readonly version: number; readonly listing: Listing }>();
  readonly #pending = new Map<number, Pending & { readonly service: string }>();
  readonly #registry: string;
  #worker: Worker | undefined;
  #ticket = 0;

  /** @param registry the driver's name, which the sentences start with */
  constructor(registry: string) {
    this.#registry = registry;
  }

  /** @throws Error, as a rejection, when the body is no answer that can be read, or this is closed before it was */
  async instances(service: string, body: ConsulBody): Promise<Listing> {
    if (body.size >= LARGE_BYTES) return this.#delegate(service, body);
    this.#known.delete(service);
    try {
      return fromHealth(service, body.size === 0 ? undefined : JSON.parse(body.text()));
    } catch (error) {
      throw this.#unreadable((error as Error).message);
    }
  }

  close(): void {
    void this.#worker?.terminate();
  }

  #delegate(service: string, body: ConsulBody): Promise<Listing> {
    const worker = (this.#worker ??= this.#start());
    const known = this.#known.get(service);
    const pieces = body.pieces();
    const order: WorkOrder = {
      ticket: ++this.#ticket,
      service,
      base: known?.version ?? 0,
      pieces,
      isPacked: body.isPacked,
    };
    return new Promise((resolve, reject) => {
      this.#pending.set(order.ticket, { service, base: known?.listing ?? [], resolve, reject });
      // Somebody waits for it; otherwise the thread keeps no process alive.
      worker.ref();
      worker.postMessage(
        order,
        pieces.map((piece) => piece.buffer),
      );
    });
  }

  #start(): Worker {
    // By its name, which is the built file's, also where specs run the sources: a thread starts from a file.
    const file = createRequire(import.meta.url).resolve('@holdfast/discovery/consul-worker');
    const worker = new Worker(file, { name: 'consul answers', execArgv: [] });
    const end = (reason: string) => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#known.clear();
      for (const { reject } of this.#pending.values()) reject(this.#unreadable(reason));
      this.#pending.clear();
    };
    worker.on('message', (result: WorkResult) => this.#finish(worker, result));
    worker.once('error', (error) => end(error.message));
    worker.once('exit', () => end('the thread that reads them has ended'));
    return worker;
  }

  #finish(worker: Worker, result: WorkResult): void {
    const pending = this.#pending.get(result.ticket);
    this.#pending.delete(result.ticket);
    if (this.#pending.size === 0) worker.unref();
    if (!pending) return;
    if ('problem' in result) return pending.reject(this.#unreadable(result.problem));
    const listing = spliced(result.whole ? [] : pending.base, result.splices);
    this.#known.set(pending.service, { version: result.version, listing });
    pending.resolve(listing);
  }

  #unreadable(reason: string): Error {
    return new Error(`${this.#registry} gave an answer that cannot be read (${reason.replace(/\.$/, '')}).`);
  }
}
