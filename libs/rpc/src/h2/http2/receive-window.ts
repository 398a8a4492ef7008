import { ConnectionError, ErrorCode, StreamError } from './frames.js';

/** How much a peer may send of DATA before it hears that there is room again (RFC 9113 §5.2, §6.9). */
export class ReceiveWindow {
  readonly #size: number;
  /** What the peer may still send. */
  #open: number;
  /** What was taken since the peer was last told. */
  #taken = 0;

  /** @param size in bytes */
  constructor(size: number) {
    this.#size = size;
    this.#open = size;
  }

  /** @throws StreamError or ConnectionError, by `scope`, where the peer sent more than it may (RFC 9113 §6.9.1) */
  receive(bytes: number, scope: 'stream' | 'connection'): void {
    this.#open -= bytes;
    if (this.#open >= 0) return;
    const sentence = 'More DATA came than the window allows.';
    throw scope === 'stream'
      ? new StreamError(ErrorCode.FLOW_CONTROL_ERROR, sentence)
      : new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, sentence);
  }

  /**
   * Notes that `bytes` need no room any more.
   * @returns what to tell the peer now; 0 while that is less than half of the window: many small updates cost more than they give
   */
  take(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken < this.#size / 2) return 0;
    const grant = this.#taken;
    this.#open += grant;
    this.#taken = 0;
    return grant;
  }
}
