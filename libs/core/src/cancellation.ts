import { setMaxListeners } from 'node:events';

/** What the platform needs of an AbortSignal, which is one; listeners are objects, so that listening needs no closure. */
export interface CancelSignal {
  readonly aborted: boolean;
  /** Why, once aborted. */
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: CancelListener): void;
  removeEventListener(type: 'abort', listener: CancelListener): void;
}

export interface CancelListener {
  handleEvent(): void;
}

/**
 * A CancelSignal and its controller in one small object. Nearly every call makes one and nearly none is cancelled, and
 * an AbortController costs a gateway a tenth of what it spends on a whole request (Node 20).
 */
export class Cancellation implements CancelSignal {
  #aborted = false;
  #reason: unknown;
  /** Most have one. */
  #listener: CancelListener | undefined;
  #others: Set<CancelListener> | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** Tells all who listen, once; doing it again changes nothing. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#listener?.handleEvent();
    // The set itself: one that is taken off while others are told is not told any more, as with an AbortSignal.
    for (const other of this.#others ?? []) other.handleEvent();
  }

  addEventListener(_type: 'abort', listener: CancelListener): void {
    if (this.#aborted || listener === this.#listener) return;
    if (!this.#listener && !this.#others) this.#listener = listener;
    else (this.#others ??= new Set()).add(listener);
  }

  removeEventListener(_type: 'abort', listener: CancelListener): void {
    if (listener === this.#listener) this.#listener = undefined;
    else this.#others?.delete(listener);
  }
}

/** An AbortSignal that aborts with `source`, for code that wants a real one. */
export function abortSignalOf(source: CancelSignal): AbortSignal {
  if (source instanceof AbortSignal) return source;
  if (source.aborted) return AbortSignal.abort(source.reason);
  const controller = new AbortController();
  source.addEventListener('abort', { handleEvent: () => controller.abort(source.reason) });
  return controller.signal;
}

/** Has `listener` told when `signal` aborts. */
export function listenTo(signal: CancelSignal, listener: CancelListener): void {
  // Many calls may share one signal: ten listeners, from where Node.js warns of a leak, are nothing.
  if (signal instanceof AbortSignal) setMaxListeners(0, signal);
  signal.addEventListener('abort', listener);
}
