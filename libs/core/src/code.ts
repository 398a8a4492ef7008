/**
 * The status codes of gRPC, which are the words every part of Holdfast uses for how a call ended.
 * Source: google/rpc/code.proto and grpc/grpc `doc/statuscodes.md`.
 */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

interface CodeFacts {
  readonly name: keyof typeof Code;
  /** The HTTP status at the edge. Source: the mapping documented in google/rpc/code.proto. */
  readonly http: number;
  /** A heading a person can read, for problem+json's `title`. */
  readonly title: string;
  /** Whose doing it is: `caller` and `refusal` never count against a breaker or an instance. */
  readonly blame: 'nobody' | 'caller' | 'server' | 'refusal';
}

/** The one table between gRPC, HTTP and blame; everything that maps an error reads it here. */
export const codeFacts: Readonly<Record<Code, CodeFacts>> = {
  [Code.OK]: { name: 'OK', http: 200, title: 'OK', blame: 'nobody' },
  [Code.CANCELLED]: { name: 'CANCELLED', http: 499, title: 'Client closed request', blame: 'caller' },
  [Code.UNKNOWN]: { name: 'UNKNOWN', http: 500, title: 'Internal error', blame: 'server' },
  [Code.INVALID_ARGUMENT]: { name: 'INVALID_ARGUMENT', http: 400, title: 'Invalid request', blame: 'caller' },
  [Code.DEADLINE_EXCEEDED]: { name: 'DEADLINE_EXCEEDED', http: 504, title: 'Deadline exceeded', blame: 'server' },
  [Code.NOT_FOUND]: { name: 'NOT_FOUND', http: 404, title: 'Not found', blame: 'caller' },
  [Code.ALREADY_EXISTS]: { name: 'ALREADY_EXISTS', http: 409, title: 'Already exists', blame: 'caller' },
  [Code.PERMISSION_DENIED]: { name: 'PERMISSION_DENIED', http: 403, title: 'Forbidden', blame: 'caller' },
  [Code.RESOURCE_EXHAUSTED]: { name: 'RESOURCE_EXHAUSTED', http: 429, title: 'Too many requests', blame: 'refusal' },
  [Code.FAILED_PRECONDITION]: { name: 'FAILED_PRECONDITION', http: 400, title: 'Failed precondition', blame: 'caller' },
  [Code.ABORTED]: { name: 'ABORTED', http: 409, title: 'Conflict', blame: 'caller' },
  [Code.OUT_OF_RANGE]: { name: 'OUT_OF_RANGE', http: 400, title: 'Out of range', blame: 'caller' },
  [Code.UNIMPLEMENTED]: { name: 'UNIMPLEMENTED', http: 501, title: 'Not implemented', blame: 'server' },
  [Code.INTERNAL]: { name: 'INTERNAL', http: 500, title: 'Internal error', blame: 'server' },
  [Code.UNAVAILABLE]: { name: 'UNAVAILABLE', http: 503, title: 'Service unavailable', blame: 'server' },
  [Code.DATA_LOSS]: { name: 'DATA_LOSS', http: 500, title: 'Data loss', blame: 'server' },
  [Code.UNAUTHENTICATED]: { name: 'UNAUTHENTICATED', http: 401, title: 'Unauthenticated', blame: 'caller' },
};

const byHttpStatus: Readonly<Record<number, Code>> = {
  400: Code.INVALID_ARGUMENT,
  401: Code.UNAUTHENTICATED,
  403: Code.PERMISSION_DENIED,
  404: Code.NOT_FOUND,
  409: Code.ALREADY_EXISTS,
  412: Code.FAILED_PRECONDITION,
  429: Code.RESOURCE_EXHAUSTED,
  499: Code.CANCELLED,
  501: Code.UNIMPLEMENTED,
  503: Code.UNAVAILABLE,
  504: Code.DEADLINE_EXCEEDED,
};

/** The code for an HTTP status: the exact row where there is one, else INVALID_ARGUMENT for 4xx and INTERNAL for 5xx. */
export function codeOfHttpStatus(status: number): Code {
  return byHttpStatus[status] ?? (status >= 500 ? Code.INTERNAL : status >= 400 ? Code.INVALID_ARGUMENT : Code.OK);
}

/** The number `value` as a code; UNKNOWN for numbers that gRPC does not define. */
export function codeOf(value: number): Code {
  return value in codeFacts ? (value as Code) : Code.UNKNOWN;
}
