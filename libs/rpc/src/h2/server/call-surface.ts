import { Duplex } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import { Code, ServiceError } from '@holdfast/core';
import { handlerError } from '../../server/handler-error.js';
import type { ServerCall } from './server-call.js';

/** How many messages are read or written ahead of the handler or the caller. */
const ahead = 4;

/**
 * A streaming call as its handler sees it: what grpc-js calls ServerDuplexStream. Only streaming methods have one, since a
 * stream of Node.js costs more than a whole unary call.
 */
export class CallSurface extends Duplex {
  readonly #call: ServerCall;
  readonly #arrived: { readonly value: unknown; readonly size: number }[] = [];
  #wanted = false;
  #ended = false;
  #trailer: grpc.Metadata | undefined;
  #written: (() => void) | undefined;

  constructor(call: ServerCall) {
    super({ objectMode: true, highWaterMark: ahead, autoDestroy: false, emitClose: false });
    this.#call = call;
    this.on('error', (error) => call.fail(handlerError(error)));
  }

  get request(): unknown {
    return this.#call.request;
  }

  get metadata(): grpc.Metadata {
    return this.#call.metadata;
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  /** Whether a request waits for the handler. */
  get waiting(): boolean {
    return this.#arrived.length > 0;
  }

  getPath(): string {
    return this.#call.getPath();
  }

  getHost(): string {
    return this.#call.getHost();
  }

  getPeer(): string {
    return this.#call.getPeer();
  }

  getDeadline(): grpc.Deadline {
    return this.#call.getDeadline();
  }

  sendMetadata(metadata: grpc.Metadata): void {
    this.#call.sendMetadata(metadata);
  }

  override end(...args: unknown[]): this {
    const [first] = args;
    if (first instanceof grpc.Metadata) {
      this.#trailer = first;
      return super.end();
    }
    return super.end(...(args as []));
  }

  /** A request came. */
  arrive(value: unknown, size: number): void {
    this.#arrived.push({ value, size });
    this.#deliver();
  }

  /** No more requests will come. */
  arriveEnd(): void {
    this.#ended = true;
    this.#deliver();
  }

  /** Nobody waits any more: the requests end, and what is written goes nowhere. */
  cancel(): void {
    this.#arrived.length = 0;
    this.arriveEnd();
    this.sent();
    this.emit('cancelled', 'cancelled');
  }

  /** The answer that had to wait is out. */
  sent(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _write(value: unknown, _encoding: string, done: (error?: Error) => void): void {
    try {
      if (this.#call.write(value)) done();
      else this.#written = done;
    } catch (cause) {
      done(new ServiceError(Code.INTERNAL, 'Internal error', { cause }));
    }
  }

  override _final(done: () => void): void {
    this.#call.finish(this.#trailer);
    done();
  }

  #deliver(): void {
    while (this.#wanted) {
      const next = this.#arrived.shift();
      if (next) {
        this.#wanted = this.push(next.value);
        this.#call.taken(next.size);
        this.#call.takeOwed();
      } else {
        if (this.#ended) this.#wanted = this.push(null);
        return;
      }
    }
  }
}
