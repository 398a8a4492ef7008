import { Code } from '@holdfast/core';

const codes: Readonly<Record<number, Code>> = {
  400: Code.INTERNAL,
  401: Code.UNAUTHENTICATED,
  403: Code.PERMISSION_DENIED,
  404: Code.UNIMPLEMENTED,
  429: Code.UNAVAILABLE,
  502: Code.UNAVAILABLE,
  503: Code.UNAVAILABLE,
  504: Code.UNAVAILABLE,
};

/** What an HTTP status means where gRPC's own was expected (grpc/grpc `doc/http-grpc-status-mapping.md`). */
export function codeOfHttp(status: number): Code {
  return codes[status] ?? Code.UNKNOWN;
}
