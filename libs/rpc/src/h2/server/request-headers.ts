import { IDENTITY_HEADER, type TraceContext } from '@holdfast/core';
import { decodeTimeout } from '../grpc/timeout.js';
import type { Fields } from '../hpack/hpack-decoder.js';

/** What the headers of a request say. */
export interface RequestHeaders {
  readonly fields: Fields;
  readonly path: string;
  readonly authority: string;
  readonly timeoutMs: number | undefined;
  readonly encoding: string;
  readonly requestId: string | undefined;
  readonly trace: TraceContext | undefined;
  /** On whose behalf the call is made, sealed. */
  readonly identity: string | undefined;
  readonly attempt: number;
  /** The HTTP status for what is not gRPC at all. */
  readonly refusal: string | undefined;
}

/** Reads well-formed headers, in one go: they are looked at for every call. */
export function readRequest(fields: Fields): RequestHeaders {
  let path = '';
  let authority = '';
  let timeoutMs: number | undefined;
  let encoding = 'identity';
  let requestId: string | undefined;
  let traceparent: string | undefined;
  let tracestate: string | undefined;
  let identity: string | undefined;
  let attempt = 0;
  let refusal: string | undefined = '415';
  let method = '';
  for (let at = 0; at < fields.length; at += 2) {
    const value = fields[at + 1]!;
    switch (fields[at]) {
      case ':method':
        method = value;
        break;
      case ':path':
        path = value;
        break;
      case ':authority':
        authority = value;
        break;
      case 'content-type':
        if (value.startsWith('application/grpc')) refusal = undefined;
        break;
      case 'grpc-timeout':
        timeoutMs = decodeTimeout(value);
        break;
      case 'grpc-encoding':
        encoding = value;
        break;
      case 'x-request-id':
        requestId = value;
        break;
      case 'traceparent':
        traceparent = value;
        break;
      case 'tracestate':
        tracestate = value;
        break;
      case IDENTITY_HEADER:
        identity = value;
        break;
      case 'grpc-previous-rpc-attempts':
        attempt = Number(value) || 0;
        break;
    }
  }
  if (method !== 'POST') refusal = '405';
  let trace: TraceContext | undefined;
  if (traceparent !== undefined) trace = tracestate === undefined ? { traceparent } : { traceparent, tracestate };
  return { fields, path, authority, timeoutMs, encoding, requestId, trace, identity, attempt, refusal };
}
