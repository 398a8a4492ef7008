import type { TraceContext } from './call-context.js';

/**
 * Watches calls of one kind: those of one method, one route. Whoever does the work asks for it once, and tells it of each
 * call; where nobody watches there is none, and that is one branch. It must not throw, and it changes nothing but the
 * trace that a call carries.
 */
export interface CallObserver {
  /**
   * A call begins.
   * @param trace what came with it, or what it is a part of
   * @param peer the address that it goes to, where that is known
   * @returns what it is to carry from here on: a span of its own where the process records traces, else `trace`
   */
  begin(trace: TraceContext | undefined, peer?: string): TraceContext | undefined;
  /**
   * It ended, once for each {@link begin}.
   * @param code the status: gRPC's of an RPC, HTTP's of a request
   * @param durationMs in milliseconds
   * @param trace what `begin` gave
   */
  end(code: number, durationMs: number, trace: TraceContext | undefined): void;
}
