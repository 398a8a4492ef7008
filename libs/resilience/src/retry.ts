import { backoffDelay, Code, DeadlineExceeded, RetriesExhausted, ServiceError, type Random } from '@holdfast/core';
import { z } from 'zod';
import { codeOfError, isRefusal } from './blame.js';
import { duration } from './duration.js';

type CodeName = keyof typeof Code;
const codeNames = Object.keys(Code).filter((name) => name !== 'OK') as [CodeName, ...CodeName[]];

const defaultCodes: CodeName[] = ['UNAVAILABLE'];

export const retrySpec = z.strictObject({
  attempts: z.int().min(2).max(10).default(3).describe('Attempts in all, the first included; 2 to 10.'),
  initialDelay: duration(0)
    .default(50)
    .describe('Upper bound of the random pause before the second attempt; 0 to 60m. It doubles with each further one.'),
  maxDelay: duration(0).default(1_000).describe('Upper bound of every such pause; 0 to 60m.'),
  codes: z
    .array(z.enum(codeNames))
    .default(defaultCodes)
    .describe(
      'Names of the codes after which another attempt is made. One that took longer than attemptTimeout is repeated in any case.',
    ),
});

export type RetrySpec = z.output<typeof retrySpec>;

/**
 * Whether another attempt may help. Never after a refusal, which was made to keep load away, nor where a hop further down
 * has already retried: attempts would multiply with every hop.
 */
export function isRetryable(error: unknown, spec: RetrySpec | undefined): boolean {
  if (isRefusal(error) || (error instanceof ServiceError && error.retriesExhausted)) return false;
  const code = codeOfError(error);
  return (spec?.codes ?? defaultCodes).some((name) => Code[name] === code);
}

/**
 * The pause before attempt number `attempt` (1 is the second): exponential with full jitter, and no shorter than what the
 * other side asked for.
 */
export function retryDelay(error: unknown, attempt: number, spec: RetrySpec, random: Random): number {
  const delay = backoffDelay(attempt - 1, random, { initialMs: spec.initialDelay, maxMs: spec.maxDelay });
  const asked = error instanceof ServiceError ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(delay, asked);
}

/** `error` as the layer that retried throws it on, so that no layer above does it again. */
export function exhausted(error: unknown): unknown {
  if (!(error instanceof ServiceError) || error.retriesExhausted) return error;
  const last = new RetriesExhausted(error);
  if (!(error instanceof DeadlineExceeded)) return last;
  // Its class is what callers tell it by.
  return new DeadlineExceeded(error.message, { reason: last.reason, cause: error });
}
