import { Cancelled, DeadlineExceeded, type ServiceError } from '@holdfast/core';

/** What a call whose caller has gone away ends with: the signal's own reason where that is one of ours. */
export function cancellation(reason: unknown): ServiceError {
  if (reason instanceof Cancelled || reason instanceof DeadlineExceeded) return reason;
  return new Cancelled('The caller does not wait any more.', { cause: reason });
}
