import { DeadlineExceeded } from '@holdfast/core';
import { duration } from './duration.js';

export const timeoutSpec = duration(1).describe(
  'How long the whole call may take: waiting for its turn, attempts and the pauses between them; 1ms to 60m. ' +
    'The deadline of the caller’s context holds too, where it is earlier.',
);

export const attemptTimeoutSpec = duration(1).describe(
  'How long one attempt may take; 1ms to 60m, and not above timeout. Another may follow where retry says so.',
);

/** The error of a call, or attempt, of the name that took too long. */
export function tooLate(name: string): DeadlineExceeded {
  return new DeadlineExceeded(`No answer from ${name} in time.`);
}
