import type * as grpc from '@grpc/grpc-js';
import { CallContext } from '@holdfast/core';
import { Observable, share } from 'rxjs';
import type { Inbound } from './inbound.js';

type RequestCall<T> = grpc.ServerReadableStream<T, unknown> | grpc.ServerDuplexStream<T, unknown>;

/**
 * The requests of a streaming call, as `@GrpcStreamMethod` hands them to its handler: an Observable, as in stock Nest,
 * that can also be read by `for await`. An Observable cannot hold its source back; the loop does, so that the caller
 * sends no faster than the handler takes.
 *
 * Nothing is received before somebody subscribes or reads. It fails with Cancelled or DeadlineExceeded where the call
 * ends before the requests do: half of them are not all of them.
 */
export class RequestStream<T> extends Observable<T> implements AsyncIterable<T> {
  readonly #call: RequestCall<T>;
  readonly #inbound: Inbound;

  constructor(call: RequestCall<T>, inbound: Inbound) {
    const shared = new Observable<T>((subscriber) => {
      // Events of the connection know nothing of the call that they are for.
      const inContext = (task: () => void) => CallContext.run(inbound.context, task);
      call.on('data', (request: T) => inContext(() => subscriber.next(request)));
      call.on('end', async () => {
        await settled();
        if (!inbound.abandoned) inContext(() => subscriber.complete());
      });
      inbound.onAbandoned(() => inContext(() => subscriber.error(inbound.abandonedBecause)));
      return () => call.pause();
    }).pipe(share());
    super((subscriber) => shared.subscribe(subscriber));
    this.#call = call;
    this.#inbound = inbound;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      // Leaving the loop early must not destroy the call: its answer is still to be written.
      yield* this.#call.iterator({ destroyOnReturn: false }) as AsyncIterable<T>;
    } catch (error) {
      throw this.#inbound.abandoned ? this.#inbound.abandonedBecause : error;
    }
    await settled();
    if (this.#inbound.abandoned) throw this.#inbound.abandonedBecause;
  }
}

/**
 * A caller that cancels shows first as the end of its requests, as if they were complete, and only two turns of the event
 * loop later as a cancellation. Whoever acts on the end must wait for that long, and one turn more to be safe.
 */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
