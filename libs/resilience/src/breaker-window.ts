import { Durations, slotOf, slotsOf } from './durations.js';

/** The window moves in tenths: it covers the last 90 to 100 % of its size. */
const SLICES = 10;

/** Two slots an octave: a breaker is small, and what reads its durations is opossum's metrics packages. */
const PRECISION = 1;
const SLOTS = slotsOf(PRECISION);

const SUCCESSES = 0;
const FAILURES = 1;
const SLOW = 2;
const TIMEOUTS = 3;
const REFUSALS = 4;
const ROW = 5;

/** Durations are kept by half windows, in two parts behind the slices: in every slice they would take most of the memory. */
const PART = SLICES / 2;
const DURATIONS = SLICES * ROW;
const LENGTH = DURATIONS + 2 * SLOTS;

/** What a slice, or the whole window, has counted. */
export interface Counts {
  readonly successes: number;
  readonly failures: number;
  /** Calls, of either outcome, that took longer than allowed. */
  readonly slow: number;
  /** Failures whose cause was a deadline. */
  readonly timeouts: number;
  /** Calls that were not let through. They are no part of any rate. */
  readonly refusals: number;
}

/**
 * What happened to a breaker's calls in the last while. Counting a call and reading the sums cost the same however many
 * calls the window holds, and nothing runs while nothing is counted: slices that have passed are dropped on the next
 * {@link advance}. Memory is one array of fixed size, made on first use.
 * Source: the bucketed rolling number of Netflix Hystrix (github.com/Netflix/Hystrix/wiki/How-it-Works), with the slots
 * of an HdrHistogram of one significant bit for the durations.
 */
export class BreakerWindow {
  #counts: Uint32Array | undefined;
  /** Which slice is the present one, 0 to SLICES - 1. */
  #slice = 0;
  #sliceEndsAt = 0;
  #windowMs = 0;
  #successes = 0;
  #failures = 0;
  #slow = 0;

  get successes(): number {
    return this.#successes;
  }

  get failures(): number {
    return this.#failures;
  }

  get slow(): number {
    return this.#slow;
  }

  /** Drops what is older than `windowMs` at `now` (milliseconds, monotonic). Comes before every count and every reading. */
  advance(now: number, windowMs: number): void {
    if (now < this.#sliceEndsAt && windowMs === this.#windowMs) return;
    if (this.#windowMs === 0) {
      this.#sliceEndsAt = now + windowMs / SLICES;
    } else {
      this.#roll(now);
      // Slices keep what they hold and change their length, the present one by the part of it that is still to come.
      const left = (this.#sliceEndsAt - now) / this.#windowMs;
      if (windowMs !== this.#windowMs) this.#sliceEndsAt = now + left * windowMs;
    }
    this.#windowMs = windowMs;
  }

  succeeded(durationMs: number, slow: boolean): void {
    this.#successes++;
    this.#count(SUCCESSES, durationMs, slow);
  }

  failed(durationMs: number, slow: boolean, timedOut: boolean): void {
    this.#failures++;
    this.#count(FAILURES, durationMs, slow);
    if (timedOut) this.#made()[this.#slice * ROW + TIMEOUTS]!++;
  }

  refused(): void {
    this.#made()[this.#slice * ROW + REFUSALS]!++;
  }

  clear(): void {
    this.#counts?.fill(0);
    this.#successes = this.#failures = this.#slow = 0;
  }

  /** The sums over the whole window. */
  total(): Counts {
    const sum = new Uint32Array(ROW);
    this.#counts?.subarray(0, DURATIONS).forEach((count, index) => (sum[index % ROW]! += count));
    return countsOf(sum);
  }

  /** How long the calls of the last half to whole window took. */
  durations(): Durations {
    const both = new Uint32Array(SLOTS);
    this.#counts?.subarray(DURATIONS).forEach((calls, index) => (both[index % SLOTS]! += calls));
    return new Durations(both, PRECISION);
  }

  /** The slices, the present one first. */
  slices(): readonly Counts[] {
    return Array.from({ length: SLICES }, (_, age) => {
      const row = ((this.#slice + SLICES - age) % SLICES) * ROW;
      return countsOf(this.#made().subarray(row, row + ROW));
    });
  }

  #count(outcome: number, durationMs: number, slow: boolean): void {
    const counts = this.#made();
    const row = this.#slice * ROW;
    counts[row + outcome]!++;
    counts[DURATIONS + (this.#slice < PART ? 0 : SLOTS) + slotOf(durationMs, PRECISION)]!++;
    if (!slow) return;
    this.#slow++;
    counts[row + SLOW]!++;
  }

  #made(): Uint32Array {
    return (this.#counts ??= new Uint32Array(LENGTH));
  }

  #roll(now: number): void {
    const sliceMs = this.#windowMs / SLICES;
    // 0 while the present slice is not over.
    const passed = 1 + Math.floor((now - this.#sliceEndsAt) / sliceMs);
    this.#sliceEndsAt += passed * sliceMs;
    if (passed >= SLICES) return this.clear();
    for (let step = 0; step < passed; step++) this.#enterNextSlice();
  }

  #enterNextSlice(): void {
    this.#slice = (this.#slice + 1) % SLICES;
    const counts = this.#made();
    const row = this.#slice * ROW;
    this.#successes -= counts[row + SUCCESSES]!;
    this.#failures -= counts[row + FAILURES]!;
    this.#slow -= counts[row + SLOW]!;
    counts.fill(0, row, row + ROW);
    if (this.#slice === 0) counts.fill(0, DURATIONS, DURATIONS + SLOTS);
    if (this.#slice === PART) counts.fill(0, DURATIONS + SLOTS);
  }
}

function countsOf(row: Uint32Array): Counts {
  return {
    successes: row[SUCCESSES]!,
    failures: row[FAILURES]!,
    slow: row[SLOW]!,
    timeouts: row[TIMEOUTS]!,
    refusals: row[REFUSALS]!,
  };
}
