import type { Live, Unsubscribe } from '@holdfast/core';

/**
 * A cell whose value is a plain field, so that reading it in a hot path costs as little as any property. Assigning and telling are
 * two steps: all values of a change are in place before the first listener hears of it.
 */
export class LiveValue<T> implements Live<T> {
  value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.value = value;
  }

  /** Sets the value; each of the returned functions tells one listener, unless that has left by then. */
  assign(value: T): readonly (() => void)[] {
    this.value = value;
    return [...this.#listeners].map((listener) => () => {
      if (this.#listeners.has(listener)) listener(value);
    });
  }

  subscribe(listener: (value: T) => void): Unsubscribe {
    // Wrapped, so that the same function may listen twice.
    const own = (value: T) => listener(value);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
}
