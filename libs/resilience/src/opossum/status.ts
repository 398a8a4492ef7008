import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import type { BreakerWindow, Counts } from '../breaker-window.js';
import type { Durations } from '../durations.js';

/** opossum's percentiles, in the keys that its metrics packages read. */
const percentiles = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 1] as const;

/** A source of bucket rotations that never speaks: with it, opossum's Status makes no timer of its own. */
const noRotation = new EventEmitter();
const options: CircuitBreaker.StatusOptions & { rollingCountBuckets: number } = {
  rotateBucketController: noRotation,
  rollingCountBuckets: 1,
  enableSnapshots: false,
};

type StatusClass = new (options: CircuitBreaker.StatusOptions) => CircuitBreaker.Status & {
  startListeneningForRotateEvent(): void;
};
/** opossum exports the function that makes a Status, but not the class; a breaker takes only instances of that class. */
const Status = CircuitBreaker.newStatus(options).constructor as StatusClass;

/**
 * opossum's `Status` on a window that costs the same at any load. The stock one keeps the latency of every call and sorts
 * them all on each failure. What reads `stats` and `window` sees the stock shape; it is worked out when it is read, there are
 * no `snapshot` events, and `latencyTimes` stays empty.
 */
export class WindowStatus extends Status {
  readonly #window: () => BreakerWindow;

  /** @param window gives the window, up to date */
  constructor(window: () => BreakerWindow) {
    super(options);
    this.#window = window;
  }

  override get stats(): CircuitBreaker.Stats {
    const window = this.#window();
    return statsOf(window.total(), window.durations());
  }

  override get window(): CircuitBreaker.Window {
    return this.#window()
      .slices()
      .map((counts) => statsOf(counts));
  }

  /** Called by opossum, under this name, when it is made: nothing will ever rotate, so nothing needs to listen. */
  override startListeneningForRotateEvent(): void {}
}

interface Stats extends CircuitBreaker.Stats {
  coalesceCacheHits: number;
  coalesceCacheMisses: number;
}

/** Slices have no durations of their own; opossum says -1 where it has none. */
function statsOf({ successes, failures, timeouts, refusals }: Counts, durations?: Durations): Stats {
  return {
    // Unlike opossum's, without the refused ones, which would dilute every rate that is made of it.
    fires: successes + failures,
    successes,
    failures,
    timeouts,
    rejects: refusals,
    fallbacks: 0,
    cacheHits: 0,
    cacheMisses: 0,
    coalesceCacheHits: 0,
    coalesceCacheMisses: 0,
    semaphoreRejections: 0,
    latencyMean: durations?.mean ?? -1,
    percentiles: Object.fromEntries(percentiles.map((share) => [share, durations?.percentile(share) ?? -1])),
    latencyTimes: [],
  };
}
