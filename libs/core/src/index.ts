export {
  CallContext,
  IDENTITY_HEADER,
  type CallContextFields,
  type TraceContext,
  type TraceFacts,
} from './call-context.js';
export type { CallObserver } from './call-observer.js';
export { abortSignalOf, Cancellation, listenTo, type CancelListener, type CancelSignal } from './cancellation.js';
export {
  BulkheadFull,
  Cancelled,
  CircuitOpen,
  DeadlineExceeded,
  NoInstances,
  RateLimited,
  RetriesExhausted,
  ServiceError,
  StartupError,
  type FieldViolation,
  type ServiceErrorOptions,
} from './service-error.js';
export { Code, codeFacts, codeOf, codeOfHttpStatus } from './code.js';
export { Cell, until, type Live, type Unsubscribe } from './live.js';
export { abortAfter, sleep, systemClock, type Clock, type Timer } from './clock.js';
export { Journal, type JournalEntry, type JournalKind, type JournalOptions } from './journal.js';
export { backoffDelay, type BackoffOptions } from './backoff.js';
export { RetryBudget } from './retry-budget.js';
export { seededRandom, type Random } from './random.js';
export { TICK_MS, TimerWheel, WheelEntry } from './timer-wheel.js';
