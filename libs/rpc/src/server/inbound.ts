import type { CallContext, Cancelled, DeadlineExceeded } from '@holdfast/core';

/** A call that this process serves, as far as what answers it needs to know. */
export interface Inbound {
  readonly context: CallContext;
  /** True where nobody waits for the answer any more. */
  readonly abandoned: boolean;
  /** Why the call ended before its answer. */
  readonly abandonedBecause: Cancelled | DeadlineExceeded;
  /** Calls `task` when the call ends before its answer; at once where it already has. */
  onAbandoned(task: () => void): void;
}
