import { BadRequest, ErrorInfo, RetryInfo, Status } from '@holdfast/proto/holdfast/rpc/v1/status';
import {
  Cancelled,
  Code,
  codeFacts,
  codeOf,
  DeadlineExceeded,
  ServiceError,
  type FieldViolation,
} from '@holdfast/core';

/** A failed call as it travels: the status, and what the trailer `grpc-status-details-bin` carries. */
export interface WireStatus {
  readonly code: Code;
  readonly message: string;
  /** Undefined where code and message say it all. */
  readonly details: Buffer | undefined;
}

/** The trailer with the details; its value is an encoded google.rpc.Status. */
export const detailsKey = 'grpc-status-details-bin';

const errorInfoUrl = 'type.googleapis.com/google.rpc.ErrorInfo';
const retryInfoUrl = 'type.googleapis.com/google.rpc.RetryInfo';
const badRequestUrl = 'type.googleapis.com/google.rpc.BadRequest';

/** HTTP/2 peers commonly take 8 to 16 KiB of headers in all; what is longer would lose the whole status. */
const maxMessageChars = 2_000;
const maxDetailsBytes = 4_096;

/**
 * What `error` looks like on the wire. Long messages are cut and violations that do not fit are left out, so that the
 * trailers always fit.
 * @param domain who says so: the full name of the service
 */
export function encodeError(error: ServiceError, domain: string): WireStatus {
  // An error that claims to be OK is still an error.
  const code = error.code === Code.OK ? Code.UNKNOWN : error.code;
  const message = sendable(error.message);
  const plain =
    error.reason === codeFacts[code].name && error.retryAfterMs === undefined && error.violations.length === 0;
  if (plain) return { code, message, details: undefined };

  let violations = error.violations;
  let details = encodeDetails(error, code, domain, violations);
  while (details.length > maxDetailsBytes && violations.length > 0) {
    violations = violations.slice(0, Math.floor(violations.length / 2));
    details = encodeDetails(error, code, domain, violations);
  }
  return { code, message, details };
}

function sendable(message: string): string {
  const short = message.length > maxMessageChars ? `${message.slice(0, maxMessageChars)}…` : message;
  // Half a surrogate pair, as a cut leaves it, cannot be written as UTF-8: encodeURI throws on it.
  return Buffer.from(short).toString();
}

function encodeDetails(error: ServiceError, code: Code, domain: string, violations: readonly FieldViolation[]): Buffer {
  const details = [
    { typeUrl: errorInfoUrl, value: ErrorInfo.encode({ reason: error.reason, domain, metadata: {} }).finish() },
  ];
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.floor(error.retryAfterMs / 1_000);
    const nanos = Math.round((error.retryAfterMs - seconds * 1_000) * 1e6);
    details.push({ typeUrl: retryInfoUrl, value: RetryInfo.encode({ retryDelay: { seconds, nanos } }).finish() });
  }
  if (violations.length > 0) {
    const fieldViolations = violations.map(({ field, description }) => ({ field, description }));
    details.push({ typeUrl: badRequestUrl, value: BadRequest.encode({ fieldViolations }).finish() });
  }
  // The message travels in the status already; a second copy would only take room.
  return Buffer.from(Status.encode({ code, message: '', details }).finish());
}

/**
 * The error that a peer's status stands for: DeadlineExceeded and Cancelled for those two codes, ServiceError for the
 * rest. Details that cannot be read are left out: the code and the message are what matters.
 */
export function decodeError(code: number, message: string, details: Uint8Array | undefined): ServiceError {
  const options = details === undefined ? {} : decodeDetails(details);
  const known = codeOf(code);
  if (known === Code.DEADLINE_EXCEEDED) return new DeadlineExceeded(message, options);
  if (known === Code.CANCELLED) return new Cancelled(message, options);
  return new ServiceError(known, message, options);
}

interface Details {
  reason?: string;
  retryAfterMs?: number;
  violations?: readonly FieldViolation[];
}

function decodeDetails(bytes: Uint8Array): Details {
  const found: Details = {};
  try {
    for (const { typeUrl, value } of Status.decode(bytes).details) {
      if (typeUrl === errorInfoUrl) {
        const { reason } = ErrorInfo.decode(value);
        if (reason !== '') found.reason = reason;
      } else if (typeUrl === retryInfoUrl) {
        const { retryDelay } = RetryInfo.decode(value);
        if (retryDelay) found.retryAfterMs = retryDelay.seconds * 1_000 + retryDelay.nanos / 1e6;
      } else if (typeUrl === badRequestUrl) {
        found.violations = BadRequest.decode(value).fieldViolations;
      }
    }
  } catch {
    // A broken detail must not hide the error that it came with.
  }
  return found;
}
