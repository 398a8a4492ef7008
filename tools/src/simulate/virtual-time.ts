import type { Clock, Timer } from '@holdfast/core';

interface Scheduled {
  readonly at: number;
  readonly order: number;
  task: (() => void) | undefined;
}

/**
 * A clock that jumps from event to event: minutes of traffic pass in a second, and the same way every time.
 * Events at one moment run in the order of their making. Algorithm: discrete-event simulation over a binary heap.
 */
export class VirtualTime implements Clock {
  readonly #heap: Scheduled[] = [];
  #now = 0;
  #order = 0;

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): Timer {
    const scheduled: Scheduled = { at: this.#now + Math.max(0, ms), order: this.#order++, task };
    this.#push(scheduled);
    // It stays in the heap as an event without a task: to take it out would cost more.
    return { cancel: () => void (scheduled.task = undefined) };
  }

  /** Runs everything that is due until `end`. */
  runUntil(end: number): void {
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      this.#now = next.at;
      next.task?.();
    }
    this.#now = end;
  }

  #push(scheduled: Scheduled): void {
    const heap = this.#heap;
    let place = heap.push(scheduled) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(scheduled, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = scheduled;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
