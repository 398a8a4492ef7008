import type { RpcMethod } from '../../method.js';
import type { OutgoingCall } from '../../transport.js';
import { ClientCall, type CallOwner } from './client-call.js';
import type { ClientConnection } from './client-connection.js';

interface Waiter<Response> {
  resolve(result: IteratorResult<Response, undefined>): void;
  reject(error: unknown): void;
}

interface Arrived<Response> {
  readonly value: Response;
  /** What it takes of the window until the consumer has it, in bytes. */
  readonly size: number;
}

/** One call of a streaming kind. It starts with the first `next()`. */
export class StreamCall<Request, Response>
  extends ClientCall<Request, Response>
  implements AsyncIterableIterator<Response, undefined>
{
  readonly #submit: (call: StreamCall<Request, Response>) => void;
  readonly #requests: AsyncIterator<Request> | Iterator<Request>;
  readonly #arrived: Arrived<Response>[] = [];
  readonly #waiting: Waiter<Response>[] = [];
  #started = false;
  /** How it ended, kept until the consumer has seen it. */
  #error: unknown;
  /** Lets the sending side go on, which waits until the call is on its way and its last message is out. */
  #goOn: (() => void) | undefined;

  /** @param submit gives the call to its link */
  constructor(
    owner: CallOwner,
    method: RpcMethod<Request, Response>,
    outgoing: OutgoingCall,
    requests: AsyncIterable<Request> | Iterable<Request>,
    submit: (call: StreamCall<Request, Response>) => void,
  ) {
    super(owner, method, outgoing);
    this.#submit = submit;
    this.#requests = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Response, undefined>> {
    if (!this.#started) this.#start();
    const arrived = this.#arrived.shift();
    if (arrived) {
      this.connection?.taken(this, arrived.size);
      this.#takeOwed();
      return Promise.resolve({ value: arrived.value, done: false });
    }
    if (this.over) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The consumer left its loop: nobody wants the rest. */
  return(): Promise<IteratorResult<Response, undefined>> {
    this.#started = true;
    this.abort(undefined);
    this.#arrived.length = 0;
    this.#error = undefined;
    return Promise.resolve({ value: undefined, done: true });
  }

  override abort(error: unknown, code?: number): void {
    // What the call was ended for takes effect now, not after messages that nobody waits for any more.
    if (!this.over) this.#arrived.length = 0;
    super.abort(error, code);
  }

  onSent(): void {
    this.#goOn?.();
  }

  override onData(data: Buffer, endStream: boolean): void {
    super.onData(data, endStream);
    this.#takeOwed();
  }

  protected begun(_connection: ClientConnection): void {
    this.#goOn?.();
  }

  protected onMessage(message: Buffer, size: number): void {
    let value: Response;
    try {
      value = this.method.decodeResponse(message);
    } catch (cause) {
      throw this.unreadable(cause);
    }
    const waiter = this.#waiting.shift();
    if (!waiter) {
      this.#arrived.push({ value, size });
      return;
    }
    this.connection?.taken(this, size);
    waiter.resolve({ value, done: false });
  }

  protected onFinished(error: unknown): void {
    this.#error = error;
    this.#goOn?.();
    this.#releaseRequests();
    for (const waiter of this.#waiting.splice(0)) {
      if (this.#error === undefined) {
        waiter.resolve({ value: undefined, done: true });
      } else {
        waiter.reject(this.#error);
        this.#error = undefined;
      }
    }
  }

  #start(): void {
    this.#started = true;
    if (this.over) return;
    const error = this.hindrance();
    if (error) return this.finish(error);
    this.listen();
    this.#submit(this);
    if (!this.over) void this.#send();
  }

  async #send(): Promise<void> {
    try {
      if (!this.connection) await this.#signal();
      while (!this.over) {
        const request = await this.#requests.next();
        const connection = this.connection;
        if (this.over || !connection) return;
        if (request.done) return connection.sendEnd(this);
        let message: Buffer;
        try {
          message = this.method.encodeRequest(request.value);
        } catch (cause) {
          throw this.unsendable(cause);
        }
        if (!connection.sendMessage(this, message, false)) await this.#signal();
      }
    } catch (error) {
      this.abort(error);
    }
  }

  #signal(): Promise<void> {
    return new Promise((resolve) => (this.#goOn = resolve));
  }

  /** While nothing waits for the consumer, a long message may come as fast as it does. */
  #takeOwed(): void {
    if (this.#arrived.length > 0) return;
    const owed = this.reader.takeOwed();
    if (owed > 0) this.connection?.taken(this, owed);
  }

  /** Lets the requests' producer clean up. One that is in the middle of something does so when it is done with that. */
  #releaseRequests(): void {
    const released = this.#requests.return?.();
    if (released instanceof Promise) released.catch(() => undefined);
  }
}
