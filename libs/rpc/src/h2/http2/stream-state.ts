import { ConnectionError, ErrorCode, StreamError } from './frames.js';

/**
 * The states of a stream, seen from this side (RFC 9113 §5.1). There are no reserved ones, since nothing is ever pushed.
 * `halfLocal` is half-closed (local): we have ended our side. `halfRemote` is half-closed (remote): the peer has ended its.
 */
export const streamStates = ['idle', 'open', 'halfLocal', 'halfRemote', 'closed'] as const;
export type StreamState = (typeof streamStates)[number];

/** What can happen to a stream. `End` is the flag END_STREAM, which takes effect after the frame that carries it. */
export type StreamEvent =
  | 'receiveHeaders'
  | 'receiveData'
  | 'receiveEnd'
  | 'receiveReset'
  | 'receiveWindowUpdate'
  | 'sendHeaders'
  | 'sendData'
  | 'sendEnd'
  | 'sendReset';

/** What the peer gets for a frame that the state does not allow; `bug` is a frame that we ourselves must not send. */
type Refusal = 'connection PROTOCOL_ERROR' | 'connection STREAM_CLOSED' | 'stream STREAM_CLOSED' | 'bug';

/** Every state, everything that can happen in it, and what comes of it. Nothing else decides what a stream may do. */
// prettier-ignore
const table: Readonly<Record<StreamState, Readonly<Record<StreamEvent, StreamState | Refusal>>>> = {
  idle: {
    receiveHeaders: 'open',       receiveData: 'connection PROTOCOL_ERROR', receiveEnd: 'connection PROTOCOL_ERROR',
    receiveReset: 'connection PROTOCOL_ERROR', receiveWindowUpdate: 'connection PROTOCOL_ERROR',
    sendHeaders: 'open',          sendData: 'bug',                          sendEnd: 'bug',
    sendReset: 'bug',
  },
  open: {
    receiveHeaders: 'open',       receiveData: 'open',                      receiveEnd: 'halfRemote',
    receiveReset: 'closed',       receiveWindowUpdate: 'open',
    sendHeaders: 'open',          sendData: 'open',                         sendEnd: 'halfLocal',
    sendReset: 'closed',
  },
  halfLocal: {
    receiveHeaders: 'halfLocal',  receiveData: 'halfLocal',                 receiveEnd: 'closed',
    receiveReset: 'closed',       receiveWindowUpdate: 'halfLocal',
    sendHeaders: 'bug',           sendData: 'bug',                          sendEnd: 'bug',
    sendReset: 'closed',
  },
  halfRemote: {
    receiveHeaders: 'stream STREAM_CLOSED', receiveData: 'stream STREAM_CLOSED', receiveEnd: 'stream STREAM_CLOSED',
    receiveReset: 'closed',       receiveWindowUpdate: 'halfRemote',
    sendHeaders: 'halfRemote',    sendData: 'halfRemote',                   sendEnd: 'closed',
    sendReset: 'closed',
  },
  closed: {
    receiveHeaders: 'connection STREAM_CLOSED', receiveData: 'connection STREAM_CLOSED', receiveEnd: 'connection STREAM_CLOSED',
    receiveReset: 'closed',       receiveWindowUpdate: 'closed',
    sendHeaders: 'bug',           sendData: 'bug',                          sendEnd: 'bug',
    sendReset: 'bug',
  },
};

/**
 * The state after `event`.
 * @throws ConnectionError or StreamError where the peer may not do that (RFC 9113 §5.1), Error where we may not
 */
export function after(state: StreamState, event: StreamEvent): StreamState {
  const next = table[state][event];
  switch (next) {
    case 'connection PROTOCOL_ERROR':
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `A stream that is ${state} cannot ${event}.`);
    case 'connection STREAM_CLOSED':
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `A stream that is ${state} cannot ${event}.`);
    case 'stream STREAM_CLOSED':
      throw new StreamError(ErrorCode.STREAM_CLOSED, `A stream that is ${state} cannot ${event}.`);
    case 'bug':
      throw new Error(`A stream that is ${state} cannot ${event}.`);
    default:
      return next;
  }
}
