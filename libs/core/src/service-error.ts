import { Code, codeFacts } from './code.js';

/** One field of a request that is not as it must be. */
export interface FieldViolation {
  /** The field's name as the caller wrote it, nested ones joined by dots. */
  readonly field: string;
  /** What it must be, as the rest of a sentence that starts with the field: "must not be empty". */
  readonly description: string;
}

export interface ServiceErrorOptions {
  /** Why, in UPPER_SNAKE_CASE, stable enough to branch on. @default the code's name */
  readonly reason?: string;
  /** How long the caller should wait before it asks again, in milliseconds, where that is known. */
  readonly retryAfterMs?: number;
  /** The fields at fault, for INVALID_ARGUMENT. */
  readonly violations?: readonly FieldViolation[];
  readonly cause?: unknown;
}

const RETRIES_EXHAUSTED = 'RETRIES_EXHAUSTED';

/**
 * How a call fails. It has the same code on both sides of a hop and maps to one HTTP status at the edge, so that
 * `throw new ServiceError(Code.NOT_FOUND, …)` in a service is a 404 for the browser. Its message reaches the caller.
 */
export class ServiceError extends Error {
  readonly code: Code;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly violations: readonly FieldViolation[];

  constructor(code: Code, message: string, options: ServiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.reason = options.reason ?? codeFacts[code].name;
    this.retryAfterMs = options.retryAfterMs;
    this.violations = options.violations ?? [];
  }

  /**
   * True where whoever threw it has retried as far as retrying may go: a layer above that retried it again would multiply
   * the attempts at the far end. The reason says so, hence it holds across hops too.
   */
  get retriesExhausted(): boolean {
    return this.reason === RETRIES_EXHAUSTED;
  }

  /** The HTTP status at the edge. */
  get httpStatus(): number {
    return codeFacts[this.code].http;
  }
}

/** No answer in the time that the caller gave. */
export class DeadlineExceeded extends ServiceError {
  constructor(message: string, options?: ServiceErrorOptions) {
    super(Code.DEADLINE_EXCEEDED, message, options);
  }
}

/** The caller went away or took its call back. */
export class Cancelled extends ServiceError {
  constructor(message: string, options?: ServiceErrorOptions) {
    super(Code.CANCELLED, message, options);
  }
}

/** Discovery knows no instance of the target that could be asked. */
export class NoInstances extends ServiceError {
  constructor(target: string, options?: ServiceErrorOptions) {
    super(Code.UNAVAILABLE, `No instance of ${target} is available.`, { reason: 'NO_INSTANCES', ...options });
  }
}

/** A breaker refuses calls until its target had time to recover. */
export class CircuitOpen extends ServiceError {
  constructor(message: string, options?: ServiceErrorOptions) {
    super(Code.UNAVAILABLE, message, { reason: 'CIRCUIT_OPEN', ...options });
  }
}

/** As many calls as allowed are already running and queued. */
export class BulkheadFull extends ServiceError {
  constructor(message: string, options?: ServiceErrorOptions) {
    super(Code.RESOURCE_EXHAUSTED, message, { reason: 'BULKHEAD_FULL', ...options });
  }
}

/** More calls than the rate allows. */
export class RateLimited extends ServiceError {
  constructor(message: string, options?: ServiceErrorOptions) {
    super(Code.RESOURCE_EXHAUSTED, message, { reason: 'RATE_LIMITED', ...options });
  }
}

/** A call that could be retried has failed for good: `last` is how its last attempt did, and its code and message are that one's. */
export class RetriesExhausted extends ServiceError {
  constructor(last: ServiceError) {
    super(last.code, last.message, {
      reason: RETRIES_EXHAUSTED,
      ...(last.retryAfterMs !== undefined && { retryAfterMs: last.retryAfterMs }),
      violations: last.violations,
      cause: last,
    });
  }
}

/**
 * The configuration or the machine does not allow this process to start. Its message is the whole of what the operator
 * is shown: one sentence that says what is wrong and what to do; the exit code is 1.
 */
export class StartupError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StartupError';
  }
}
