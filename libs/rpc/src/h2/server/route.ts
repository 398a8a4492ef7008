import type { CallObserver } from '@holdfast/core';
import type { RpcMethod } from '../../method.js';
import type { ServerCall } from './server-call.js';

/** A method that is served. */
export interface Route {
  readonly method: Pick<
    RpcMethod<unknown, unknown>,
    'path' | 'requestStream' | 'responseStream' | 'decodeRequest' | 'encodeResponse'
  >;
  /** The full name of the service, which signs the details of errors. */
  readonly domain: string;
  /** Watches its calls. @default nobody does */
  readonly observer?: CallObserver | undefined;
  /** Starts the handler: when the request is here, or, where there are many, when the call begins. */
  serve(call: ServerCall): void;
}
