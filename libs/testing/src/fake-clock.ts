import type { Clock, Timer } from '@holdfast/core';

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

/** A clock that stands still until the spec moves it. Tasks run in the order of their times, then of their making. */
export class FakeClock implements Clock {
  /** What the wall clock shows at monotonic zero. */
  wallOffset = Date.UTC(2026, 0, 1);
  #now = 0;
  #order = 0;
  #scheduled: Scheduled[] = [];

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.wallOffset + this.#now;
  }

  after(ms: number, task: () => void): Timer {
    const scheduled = { at: this.#now + Math.max(0, ms), order: this.#order++, task };
    this.#scheduled.push(scheduled);
    return { cancel: () => void (this.#scheduled = this.#scheduled.filter((other) => other !== scheduled)) };
  }

  /** How many tasks wait: 0 after a clean close. */
  get pending(): number {
    return this.#scheduled.length;
  }

  /** Moves time on by `ms`, running what falls due on the way and letting the promises it settles continue. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#scheduled = this.#scheduled.filter((other) => other !== next);
      next.task();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Scheduled | undefined {
    return this.#scheduled
      .filter((scheduled) => scheduled.at <= end)
      .toSorted((a, b) => a.at - b.at || a.order - b.order)
      .at(0);
  }
}

/** Lets everything that is ready to run do so: promise continuations and immediates, no timers. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}
