import type { CancelSignal } from './cancellation.js';

/** A pending call made by {@link Clock.after}. */
export interface Timer {
  /** Takes the call back; does nothing once it has run. */
  cancel(): void;
}

/**
 * Where time comes from. Everything in Holdfast that waits, expires or measures asks a Clock, so that specs run on
 * `FakeClock` and never sleep.
 */
export interface Clock {
  /** Monotonic time in milliseconds, with fractions. Only differences mean something; steps of the wall clock do not show. */
  now(): number;
  /** Wall-clock time in milliseconds since the epoch, for what leaves the process: files, headers, logs. */
  wallTime(): number;
  /** Runs `task` once, `ms` milliseconds from now. Whoever asks for it cancels it when it is no longer wanted. */
  after(ms: number, task: () => void): Timer;
}

/** The process's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(ms, task) {
    const handle = setTimeout(task, ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Waits `ms` milliseconds.
 * @throws the signal's reason, at once, when `signal` aborts before the time is over; nothing stays scheduled.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * A signal that aborts with `reason` after `ms` milliseconds, or with `parent`'s reason when that aborts first.
 * Dispose it (`using`) when the work is over, so that nothing stays scheduled.
 */
export function abortAfter(
  clock: Clock,
  ms: number,
  reason: string,
  parent?: CancelSignal,
): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const listener = { handleEvent: () => controller.abort(parent?.reason) };
  if (parent?.aborted) listener.handleEvent();
  parent?.addEventListener('abort', listener);
  const timer = clock.after(ms, () => controller.abort(new Error(reason)));
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      timer.cancel();
      parent?.removeEventListener('abort', listener);
    },
  };
}
