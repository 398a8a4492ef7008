import { WheelEntry } from '@holdfast/core';
import type { Fields } from '../hpack/hpack-decoder.js';
import { after, type StreamEvent, type StreamState } from './stream-state.js';
import { ReceiveWindow } from './receive-window.js';

/** How much a peer may send in one stream before somebody takes it, in bytes. */
export const streamWindowBytes = 262_144;

/**
 * One stream of a connection (RFC 9113 §5). The calls of the layer above are its subclasses, so that a call is one object.
 * A stream is a wheel entry as well, since most have a deadline.
 */
export abstract class Stream extends WheelEntry {
  /** 0 while it has no connection. */
  id = 0;
  state: StreamState = 'idle';
  /** When it was opened, on the connection's clock, in milliseconds. */
  openedAt = 0;
  /** How much DATA the peer takes now, in bytes; its settings can make this less than nothing (RFC 9113 §6.9.2). */
  sendWindow = 0;
  readonly receiveWindow = new ReceiveWindow(streamWindowBytes);
  /** What was received and not yet taken, in bytes. */
  held = 0;
  /** Whether messages leave packed where that pays; the headers have said so. */
  packs = false;
  /** What is still to be sent of a message, in order; empty when it has all been handed over. @internal the send queue's */
  unsent: Buffer[] | undefined = undefined;
  /** Another that is open beside it. @internal the stream table's */
  nextInChain: Stream | undefined = undefined;
  /** Whether the stream ends with what is unsent. @internal the send queue's */
  endsAfterUnsent = false;

  /** Notes what happened. @throws as `after` in stream-state.ts */
  happened(event: StreamEvent): void {
    this.state = after(this.state, event);
  }

  get closed(): boolean {
    return this.state === 'closed';
  }

  /** Headers or trailers came. @param tooLarge they were more than is taken; the rest of them is left out */
  abstract onHeaders(fields: Fields, endStream: boolean, tooLarge: boolean): void;
  /** DATA came. Whoever takes it tells the connection, so that more may come. The bytes are part of a larger buffer. */
  abstract onData(data: Buffer, endStream: boolean): void;
  /** The stream ended by RST_STREAM, of the peer or, where it broke the rules, of ours. */
  abstract onReset(code: number): void;
  /** The connection ended under the stream. @param unprocessed it is certain that the peer never acted on it */
  abstract onLost(error: Error, unprocessed: boolean): void;
  /** A message that had to wait has been handed over; not called once the stream is closed. */
  abstract onSent(): void;
}
