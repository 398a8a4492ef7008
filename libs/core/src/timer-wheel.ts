import { AsyncResource } from 'node:async_hooks';
import type { Clock, Timer } from './clock.js';

/** How coarse the wheel is, in milliseconds: what is due may happen up to this much later, and never earlier. */
export const TICK_MS = 4;
const SLOTS = 1_024;
/** The tick of an entry that is in no slot, and of one that is about to be told. */
const OUT = -1;
const DUE = -2;

/** What waits for a moment, as a link of the wheel's own lists: waiting costs no object and no timer. */
export abstract class WheelEntry {
  /** @internal the wheel's */
  tick = OUT;
  /** @internal the wheel's */
  before: WheelEntry | undefined = undefined;
  /** @internal the wheel's */
  after: WheelEntry | undefined = undefined;

  /** Called once when the moment has come; the entry is out of the wheel by then and may be added again. */
  abstract due(now: number): void;
}

/**
 * All moments that calls wait for, on one timer however many they are: adding and removing are a few writes each. The
 * timer runs only while something waits, and outside of every call's asynchronous context.
 * Algorithm: hashed timing wheel (Varghese, Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6).
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots: (WheelEntry | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #outside = new AsyncResource('TimerWheel');
  #timer: Timer | undefined;
  #wakesAt = Infinity;
  /** The last tick whose slot was looked through. */
  #doneTick: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#doneTick = Math.floor(clock.now() / TICK_MS);
  }

  /** Lets `entry` know once the clock shows `at`; an entry that waits already waits for `at` instead. */
  add(entry: WheelEntry, at: number): void {
    if (entry.tick !== OUT) this.remove(entry);
    const tick = Math.max(this.#doneTick + 1, Math.ceil(at / TICK_MS));
    const slot = tick % SLOTS;
    const first = this.#slots[slot];
    entry.tick = tick;
    entry.after = first;
    if (first) first.before = entry;
    this.#slots[slot] = entry;
    if (tick < this.#wakesAt) this.#wakeAt(tick);
  }

  /** Takes `entry` out; does nothing for one that does not wait. */
  remove(entry: WheelEntry): void {
    if (entry.tick >= 0) {
      if (entry.before) entry.before.after = entry.after;
      else this.#slots[entry.tick % SLOTS] = entry.after;
      if (entry.after) entry.after.before = entry.before;
      entry.before = entry.after = undefined;
    }
    entry.tick = OUT;
  }

  /** Forgets everything that waits. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wakesAt = Infinity;
    this.#slots.fill(undefined);
  }

  #wakeAt(tick: number): void {
    this.#timer?.cancel();
    this.#wakesAt = tick;
    const delay = Math.max(0, tick * TICK_MS - this.#clock.now());
    // A timer keeps the context that it was made in, and would run every later entry in that of one call.
    this.#timer = this.#outside.runInAsyncScope(() => this.#clock.after(delay, () => this.#turn()));
  }

  #turn(): void {
    this.#timer = undefined;
    this.#wakesAt = Infinity;
    const now = this.#clock.now();
    const nowTick = Math.floor(now / TICK_MS);
    const entries = this.#takeUntil(nowTick);
    for (const entry of entries) {
      // One that was told before it may have removed it.
      if (entry.tick !== DUE) continue;
      entry.tick = OUT;
      entry.due(now);
    }
    for (let tick = nowTick + 1; tick <= nowTick + SLOTS; tick++) {
      if (!this.#slots[tick % SLOTS]) continue;
      if (tick < this.#wakesAt) this.#wakeAt(tick);
      return;
    }
  }

  /** Takes out what is due, in order of ticks. */
  #takeUntil(nowTick: number): WheelEntry[] {
    const due: WheelEntry[] = [];
    // After a long standstill the wheel has turned more than once, and each slot needs one look only.
    for (let tick = Math.max(this.#doneTick + 1, nowTick - SLOTS + 1); tick <= nowTick; tick++) {
      for (let entry = this.#slots[tick % SLOTS]; entry;) {
        const next: WheelEntry | undefined = entry.after;
        if (entry.tick <= nowTick) {
          this.remove(entry);
          entry.tick = DUE;
          due.push(entry);
        }
        entry = next;
      }
    }
    this.#doneTick = Math.max(this.#doneTick, nowTick);
    return due;
  }
}
