import { Durations, slotOf, slotsOf } from './durations.js';

/** The last minute, in slices of two seconds. */
const SLICES = 30;
const SLICE_MS = 2_000;
/** How many of them the present figures are of, the present one included. */
const PRESENT = 5;

const PRECISION = 2;
const GOOD = 0;
const FAILED = 1;
const DURATIONS = 2;
const ROW = DURATIONS + slotsOf(PRECISION);

/** How the calls of a name went in the last while, for operators. */
export interface CallSummary {
  /** Calls that ended, a second. */
  readonly rate: number;
  /** Share of them that did not end well, refused ones and those with a fallback included, 0 to 1. Not so those that were wrong themselves; cancelled ones are not counted at all. */
  readonly errorRate: number;
  /** Duration that half of the calls, and that 99 % of them, did not exceed, in milliseconds, waits and retries included; null without calls. Refused ones have none. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** The same over the last minute, two seconds each, the oldest first; the last one is under way. */
  readonly trend: {
    readonly calls: readonly number[];
    readonly failed: readonly number[];
    readonly p50: readonly (number | null)[];
    readonly p99: readonly (number | null)[];
  };
}

/**
 * Counts and durations of the calls of a name over the last minute. Counting a call is a few additions and makes nothing;
 * figures are worked out when somebody looks. Memory is 10 KB a name, made with its first call.
 * Source: the rolling percentiles and counts of Netflix Hystrix (github.com/Netflix/Hystrix/wiki/Metrics-and-Monitoring).
 */
export class CallWindow {
  #rows: Uint32Array | undefined;
  /** Where the row of the present slice begins. */
  #row = 0;
  #slice = 0;
  #sliceEndsAt = -Infinity;

  /** Drops what is too old at `now` (milliseconds, monotonic). Comes before a call begins and before every reading. */
  advance(now: number): void {
    if (now >= this.#sliceEndsAt) this.#roll(now);
  }

  succeeded(durationMs: number): void {
    this.#rows![this.#row + GOOD]!++;
    this.#rows![this.#row + DURATIONS + slotOf(durationMs, PRECISION)]!++;
  }

  failed(durationMs: number): void {
    this.#rows![this.#row + FAILED]!++;
    this.#rows![this.#row + DURATIONS + slotOf(durationMs, PRECISION)]!++;
  }

  /** A policy did not let it go on: how long that took says nothing of the work. */
  refused(): void {
    this.#rows![this.#row + FAILED]!++;
  }

  clear(): void {
    this.#rows?.fill(0);
  }

  summary(now: number): CallSummary {
    if (this.#rows) this.advance(now);
    const rows = Array.from({ length: SLICES }, (_, index) => this.#rowOf(this.#slice + 1 + index));
    const present = new Uint32Array(ROW);
    for (const row of rows.slice(-PRESENT)) for (let at = 0; at < ROW; at++) present[at]! += row[at]!;
    const { calls, failed, p50, p99 } = figuresOf(present);
    const seconds = ((PRESENT - 1) * SLICE_MS + (now - (this.#sliceEndsAt - SLICE_MS))) / 1_000;
    const trend = rows.map(figuresOf);
    return {
      rate: calls === 0 ? 0 : calls / seconds,
      errorRate: calls === 0 ? 0 : failed / calls,
      p50,
      p99,
      trend: {
        calls: trend.map((slice) => slice.calls),
        failed: trend.map((slice) => slice.failed),
        p50: trend.map((slice) => slice.p50),
        p99: trend.map((slice) => slice.p99),
      },
    };
  }

  #roll(now: number): void {
    const rows = (this.#rows ??= new Uint32Array(SLICES * ROW));
    const first = this.#sliceEndsAt === -Infinity;
    const passed = first ? 1 : 1 + Math.floor((now - this.#sliceEndsAt) / SLICE_MS);
    this.#sliceEndsAt = first ? now + SLICE_MS : this.#sliceEndsAt + passed * SLICE_MS;
    for (let step = Math.min(passed, SLICES); step > 0; step--) {
      this.#slice = (this.#slice + 1) % SLICES;
      this.#row = this.#slice * ROW;
      rows.fill(0, this.#row, this.#row + ROW);
    }
  }

  #rowOf(slice: number): Uint32Array {
    const start = (slice % SLICES) * ROW;
    return this.#rows?.subarray(start, start + ROW) ?? new Uint32Array(ROW);
  }
}

function figuresOf(row: Uint32Array) {
  const calls = row[GOOD]! + row[FAILED]!;
  const slots = row.subarray(DURATIONS);
  const durations = slots.some((count) => count > 0) ? new Durations(slots, PRECISION) : undefined;
  const rounded = (share: number) => (durations ? Math.round(durations.percentile(share) * 1_000) / 1_000 : null);
  return { calls, failed: row[FAILED]!, p50: rounded(0.5), p99: rounded(0.99) };
}
