/** Lets callers in one at a time, in the order in which they came. */
export class Turns {
  #taken = false;
  readonly #waiting = new Set<() => void>();

  /**
   * Resolves when it is the caller's turn, which ends with {@link pass}.
   * @param giveUp asked for only where there is something to wait for
   * @throws the signal's reason when it aborts first; the turn is then not taken
   */
  take(giveUp: () => AbortSignal): Promise<void> {
    if (!this.#taken) {
      this.#taken = true;
      return Promise.resolve();
    }
    const signal = giveUp();
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.delete(enter);
        reject(signal.reason);
      };
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(enter);
    });
  }

  /** Ends the turn: the one who has waited longest is next. */
  pass(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#taken = false;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
