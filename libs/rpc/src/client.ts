import type { MethodDefinition, RpcMethod, ServiceDefinition } from './method.js';
import { methodsOf } from './method.js';
import type { CallOptions } from './attempts.js';
import type { Target } from './target.js';

type RequestOf<M> = M extends { requestType: { decode(bytes: never): infer Request } } ? Request : never;
type ResponseOf<M> = M extends { responseType: { decode(bytes: never): infer Response } } ? Response : never;
type Requests<M extends MethodDefinition> = M['requestStream'] extends true
  ? AsyncIterable<RequestOf<M>> | Iterable<RequestOf<M>>
  : RequestOf<M>;

/** One method as a function: a promise, or, where the server streams, an iteration that starts the call when begun. */
export type RpcFunction<M extends MethodDefinition> = (
  request: Requests<M>,
  options?: CallOptions,
) => M['responseStream'] extends true ? AsyncIterable<ResponseOf<M>> : Promise<ResponseOf<M>>;

/**
 * The typed client of a generated service definition: one function per method. They reject with ServiceError: the code
 * and message that the service threw, DeadlineExceeded, Cancelled, NoInstances, or LinkFailure where a peer was lost.
 */
export type RpcClient<S extends ServiceDefinition> = {
  readonly [K in keyof S['methods']]: RpcFunction<S['methods'][K]>;
};

export interface RpcClientOptions {
  /** The name under which the service is registered. */
  readonly target: string;
  /** Deadline of unary calls that bring no earlier one, in milliseconds. @default 2_000 */
  readonly timeoutMs?: number;
}

export function rpcClient<S extends ServiceDefinition>(
  service: S,
  target: Target,
  options: RpcClientOptions,
): RpcClient<S> {
  const unaryDefaults = { timeoutMs: options.timeoutMs ?? 2_000 };
  const functions = methodsOf(service).map((method) => [method.key, functionFor(method, target, unaryDefaults)]);
  return Object.fromEntries(functions) as RpcClient<S>;
}

function functionFor(method: RpcMethod<unknown, unknown>, target: Target, unaryDefaults: CallOptions) {
  if (!method.requestStream && !method.responseStream) {
    return (request: unknown, options?: CallOptions) =>
      target.unary(method, request, options ? { ...unaryDefaults, ...options } : unaryDefaults);
  }
  const open = (request: unknown, options: CallOptions = {}) =>
    target.stream(method, method.requestStream ? (request as AsyncIterable<unknown>) : [request], options);
  if (method.responseStream) return open;
  return async (request: unknown, options?: CallOptions) => {
    let last: unknown;
    for await (const response of open(request, options)) last = response;
    return last;
  };
}
