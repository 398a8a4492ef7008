import type { CallObserver, Code, TraceContext } from '@holdfast/core';

/** Watches the calls of one method as this process makes them: each attempt, and each call with all its attempts. */
export interface RpcClientObserver extends CallObserver {
  /**
   * A call ended, after its last attempt or without any.
   * @param durationMs in milliseconds, waiting for a peer included
   * @param trace what the call is a part of
   */
  called(code: Code, durationMs: number, trace: TraceContext | undefined): void;
}

/** Gives the observer of a method, `/user.v1.UserService/GetUser`, of a target; asked once for each pair. */
export type ObserveRpcClient = (method: string, target: string) => RpcClientObserver;

/** Gives the observer of a method, `/user.v1.UserService/GetUser`, that is served; asked once for each. */
export type ObserveRpcServer = (method: string) => CallObserver;
