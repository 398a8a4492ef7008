export type Unsubscribe = () => void;

/**
 * A value that can change while the process serves. Readers take `.value` when they decide something and keep no copy;
 * only what must *act* on a change subscribes.
 */
export interface Live<T> {
  readonly value: T;
  /** Calls `listener` with every later value, in order; never with the present one. */
  subscribe(listener: (value: T) => void): Unsubscribe;
}

/** A {@link Live} whose owner sets it. Values equal to the present one (by `equals`, default `Object.is`) are no change. */
export class Cell<T> implements Live<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly #equals: (a: T, b: T) => boolean;
  #value: T;

  constructor(initial: T, equals: (a: T, b: T) => boolean = Object.is) {
    this.#value = initial;
    this.#equals = equals;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (this.#equals(this.#value, value)) return;
    this.#value = value;
    // A copy: a listener may unsubscribe itself or others while it is being told.
    for (const listener of [...this.#listeners]) listener(value);
  }

  subscribe(listener: (value: T) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/**
 * Resolves with the first value, the present one included, for which `holds` is true.
 * @throws the signal's reason when it aborts first.
 */
export function until<T>(live: Live<T>, holds: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (holds(live.value)) return resolve(live.value);
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      unsubscribe();
      reject(signal?.reason);
    };
    const unsubscribe = live.subscribe((value) => {
      if (!holds(value)) return;
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
      resolve(value);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
