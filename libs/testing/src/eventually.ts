export interface EventuallyOptions {
  /** How long to keep trying, in milliseconds. @default 10_000 */
  readonly withinMs?: number;
  /** Pause between tries, in milliseconds. @default 20 */
  readonly everyMs?: number;
}

/**
 * Calls `attempt` until it neither throws nor returns false, and gives back what it returned: for what depends on the real
 * world, other processes above all.
 * @throws the last error, with the time spent, when it never did
 */
export async function eventually<T>(attempt: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { withinMs = 10_000, everyMs = 20 } = options;
  const start = performance.now();
  for (;;) {
    let failure: unknown;
    try {
      const result = await attempt();
      if (result !== false) return result;
      failure = new Error('it was false');
    } catch (error) {
      failure = error;
    }
    if (performance.now() - start >= withinMs) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      throw new Error(`not so within ${withinMs} ms: ${reason}`, { cause: failure });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
