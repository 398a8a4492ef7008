import { setMaxListeners } from 'node:events';
import { Cancelled, DeadlineExceeded, type ServiceError } from '@holdfast/core';

/** Calls `listener` when the caller who has `signal` goes away. */
export function onDeparture(signal: AbortSignal, listener: () => void): void {
  // One caller can have any number of calls under way; past ten, Node would warn of a leak.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
}

/** What a call whose caller has gone away ends with: the signal's own reason where that is one of ours. */
export function cancellation(reason: unknown): ServiceError {
  if (reason instanceof Cancelled || reason instanceof DeadlineExceeded) return reason;
  return new Cancelled('The caller does not wait any more.', { cause: reason });
}
