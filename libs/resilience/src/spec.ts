import { StartupError } from '@holdfast/core';
import { z } from 'zod';
import { breakerSpec } from './breaker-spec.js';
import { bulkheadSpec } from './bulkhead.js';
import { cacheSpec } from './cache.js';
import { attemptTimeoutSpec, timeoutSpec } from './deadline.js';
import type { Fallback } from './fallback.js';
import { hedgeSpec } from './hedge.js';
import { retrySpec } from './retry.js';
import { rateLimitSpec } from './token-bucket.js';

/** The numbers of all policies of a name. A policy that is not named is not there. */
export const resilienceSpec = z
  .strictObject({
    idempotent: z
      .boolean()
      .default(false)
      .describe('Whether doing the work twice does no harm: retry and hedge need it, and nothing but you can know it.'),
    target: z
      .string()
      .min(1)
      .optional()
      .describe('What the work calls: names with the same target share one retry budget. By default the name itself.'),
    coalesce: z
      .boolean()
      .default(false)
      .describe('Whether calls that ask for the same (see key) while one is under way share that one and its answer.'),
    cache: cacheSpec.optional().describe('Gives answers again for a while; calls for the same coalesce.'),
    timeout: timeoutSpec.optional(),
    rateLimit: rateLimitSpec.optional().describe('At most so many calls a second.'),
    bulkhead: bulkheadSpec.optional().describe('At most so many calls at the same time.'),
    retry: retrySpec.optional().describe('Further attempts after one that failed, within the retry budget.'),
    hedge: hedgeSpec.optional().describe('A second attempt beside one that takes long, within the retry budget.'),
    breaker: breakerSpec.optional().describe('No calls for a while to what keeps failing.'),
    attemptTimeout: attemptTimeoutSpec.optional(),
  })
  .superRefine((spec, { addIssue }) => {
    const refuse = (option: string, message: string) => addIssue({ code: 'custom', path: [option], message });
    const { attemptTimeout, hedge, idempotent, retry, timeout } = spec;
    if ((attemptTimeout ?? 0) > (timeout ?? Infinity)) {
      refuse('attemptTimeout', `must not be above timeout: write ${timeout}ms or less`);
    }
    for (const option of ['retry', 'hedge'] as const) {
      if (spec[option] && !idempotent) {
        refuse(option, 'does the work more than once: write idempotent: true if that does no harm, or leave it out');
      }
    }
    if (retry && hedge) refuse('hedge', 'cannot be combined with retry: leave one of them out');
    if (hedge && hedge.delay >= (attemptTimeout ?? Infinity)) {
      refuse('hedge', 'never comes to its second attempt: write a delay below attemptTimeout');
    }
  });

export type ResilienceSpec = z.output<typeof resilienceSpec>;

/** What is not a number, and cannot be changed while the process serves. */
export interface Hooks {
  readonly fallback?: Fallback | undefined;
  readonly fallbackOn?: ((error: unknown) => boolean) | undefined;
  readonly key?: ((...args: never[]) => string) | undefined;
}

/** The options of `@Resilient` and `Resilience.run`. */
export type ResilienceOptions<F extends Fallback = Fallback> = z.input<typeof resilienceSpec> & {
  /** Answers in place of a failure: a method's name, a function, or `{ value }`. Both functions get the arguments, then the error. @default none */
  readonly fallback?: F;
  /** Which errors the fallback covers. @default all but the caller's own mistakes, such as NOT_FOUND, and cancellation */
  readonly fallbackOn?: (error: unknown) => boolean;
  /** What tells calls apart for cache and coalesce. @default the arguments as JSON */
  readonly key?: (...args: never[]) => string;
};

/**
 * Takes options apart and checks them.
 * @param subject what they were written on, for the error: "@Resilient('users.get') on UsersClient.greet"
 * @throws StartupError: one sentence that names subject and option and says what to write
 */
export function readOptions(subject: string, options: ResilienceOptions): { spec: ResilienceSpec; hooks: Hooks } {
  const { fallback, fallbackOn, key, ...numbers } = options;
  const result = resilienceSpec.safeParse(numbers);
  if (!result.success) throw new StartupError(sentenceOf(subject, result.error.issues[0]!));
  const wrong = (option: string, message: string) => new StartupError(`${subject}: ${option} ${message}.`);
  const isFallback =
    typeof fallback === 'string' || typeof fallback === 'function' || (fallback && 'value' in fallback);
  if (fallback !== undefined && !isFallback) {
    throw wrong('fallback', 'must be the name of a method, a function, or a value written as { value: … }');
  }
  if (fallbackOn !== undefined && fallback === undefined)
    throw wrong('fallbackOn', 'needs a fallback: write one, or leave it out');
  if (key !== undefined && !result.data.cache && !result.data.coalesce) {
    throw wrong('key', 'is for cache and coalesce: write one of these, or leave it out');
  }
  return { spec: result.data, hooks: { fallback, fallbackOn, key } };
}

function sentenceOf(subject: string, issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.');
  const entry = entryAt(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(shapeOf(entry) ?? {});
    const unknown = [path, issue.keys[0]].filter((part) => part !== '').join('.');
    const extra = path === '' ? ['fallback', 'fallbackOn', 'key'] : [];
    return `${subject}: there is no option ${unknown}; write one of ${[...extra, ...known].join(', ')}.`;
  }
  const meaning = entry.description === undefined ? '' : ` (${entry.description.replace(/\.$/, '')})`;
  return `${subject}: ${path} ${issue.message.replace(/^Invalid input: |^Too (?:small|big): /, 'is wrong: ')}${meaning}.`;
}

function shapeOf(entry: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  let inner: unknown = entry;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) inner = inner.unwrap();
  return inner instanceof z.ZodObject ? (inner.shape as Record<string, z.ZodType>) : undefined;
}

function entryAt(path: readonly PropertyKey[]): z.ZodType {
  let entry: z.ZodType = resilienceSpec;
  for (const part of path) entry = shapeOf(entry)?.[String(part)] ?? entry;
  return entry;
}
