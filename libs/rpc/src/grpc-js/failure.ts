import * as grpc from '@grpc/grpc-js';
import { Code, DeadlineExceeded, ServiceError } from '@holdfast/core';
import { decodeError, detailsKey } from '../error-details.js';
import { LinkFailure } from '../transport.js';
import { isEmpty } from './metadata.js';

/** How far a call had come when its status arrived. */
export interface Progress {
  /** `host:port` of the peer, for the message. */
  readonly address: string;
  /** The call was handed to a connection, so that the peer may have seen it. */
  readonly sent: boolean;
  /** Response headers were received. */
  readonly answered: boolean;
}

/** What grpc-js says when a connection or a stream breaks under a call; it offers no other mark than these words. */
const brokenLink =
  /^(?:Connection dropped|Received RST_STREAM|Stream refused|Call cancelled$|Write (?:error|failed)|Failed to start HTTP\/2 stream|No status information received|.*\b(?:ECONNRESET|ETIMEDOUT|EPIPE)\b)/;
/** Nothing of these reached the peer's application. */
const unprocessed = /^(?:Stream refused by server|Failed to start HTTP\/2 stream)/;

/** True where the peer itself made the status, rather than grpc-js in our process. */
export function isFromPeer(status: grpc.StatusObject, answered: boolean): boolean {
  return !isEmpty(status.metadata) || (answered && !brokenLink.test(status.details));
}

/** The error for a status other than OK. */
export function failureOf(status: grpc.StatusObject, { address, sent, answered }: Progress): ServiceError {
  if (isFromPeer(status, answered)) {
    const [details] = status.metadata.get(detailsKey);
    return decodeError(status.code, status.details, typeof details === 'string' ? undefined : details);
  }
  if (status.code === grpc.status.UNAVAILABLE || brokenLink.test(status.details)) {
    if (!sent) return new LinkFailure(`There is no connection to ${address}: ${withoutDate(status.details)}.`, 'never');
    const processed = unprocessed.test(status.details) ? 'never' : 'maybe';
    return new LinkFailure(`The connection to ${address} broke: ${status.details}.`, processed);
  }
  if (status.code === grpc.status.RESOURCE_EXHAUSTED) {
    return new ServiceError(Code.RESOURCE_EXHAUSTED, status.details, { reason: 'MESSAGE_TOO_LARGE' });
  }
  if (status.code === grpc.status.DEADLINE_EXCEEDED) return deadlinePassed(address);
  return decodeError(status.code, status.details, undefined);
}

export function deadlinePassed(address: string): DeadlineExceeded {
  return new DeadlineExceeded(`No answer from ${address} before the deadline.`);
}

/** grpc-js ends its reasons with the time of the last attempt, which makes equal failures look different. */
function withoutDate(details: string): string {
  return details.replace(/^No connection established\. Last error: (?:Error: )?/, '').replace(/ \(\d{4}-[^)]*\)$/, '');
}
