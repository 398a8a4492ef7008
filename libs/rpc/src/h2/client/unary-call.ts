import { Code, ServiceError } from '@holdfast/core';
import type { RpcMethod } from '../../method.js';
import type { OutgoingCall } from '../../transport.js';
import { ClientCall, type CallOwner } from './client-call.js';
import type { ClientConnection } from './client-connection.js';

/** One request, one response. */
export class UnaryCall<Request, Response> extends ClientCall<Request, Response> {
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  #request: Buffer | undefined;
  #response: Response | undefined;
  #answered = false;

  constructor(
    owner: CallOwner,
    method: RpcMethod<Request, Response>,
    outgoing: OutgoingCall,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    super(owner, method, outgoing);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Makes the request ready to go out. @returns false where the call has ended already */
  prepare(request: Request): boolean {
    let error: unknown = this.hindrance();
    try {
      if (error === undefined) this.#request = this.method.encodeRequest(request);
    } catch (cause) {
      error = this.unsendable(cause);
    }
    if (error !== undefined) {
      this.finish(error);
      return false;
    }
    this.listen();
    return true;
  }

  onSent(): void {}

  protected begun(connection: ClientConnection): void {
    connection.sendMessage(this, this.#request!, true);
    this.#request = undefined;
  }

  protected onMessage(message: Buffer, size: number): void {
    this.connection?.taken(this, size);
    if (this.#answered) throw new ServiceError(Code.INTERNAL, `${this.method.path} gave more than one answer.`);
    try {
      this.#response = this.method.decodeResponse(message);
      this.#answered = true;
    } catch (cause) {
      throw this.unreadable(cause);
    }
  }

  override onData(data: Buffer, endStream: boolean): void {
    super.onData(data, endStream);
    const owed = this.reader.takeOwed();
    if (owed > 0) this.connection?.taken(this, owed);
  }

  protected onFinished(error: unknown): void {
    if (error !== undefined) return this.#reject(error);
    if (this.#answered) return this.#resolve(this.#response as Response);
    this.#reject(new ServiceError(Code.UNIMPLEMENTED, `${this.method.path} ended without an answer.`));
  }
}
