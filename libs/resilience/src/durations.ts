/** The first slot ends at 1/16 ms, the last starts at 65 s. */
const UNITS_PER_MS = 1_024;
const FIRST_OCTAVE = 6;
const OCTAVES = 20;

/**
 * How finely a histogram of durations tells them apart: its slots an octave are 2 to this power, so its figures are within a
 * quarter (1) or an eighth (2) of the true ones.
 */
export type Precision = 1 | 2;

/** How many slots a histogram has. */
export const slotsOf = (precision: Precision) => 2 + (OCTAVES << precision);

/** The slot of a duration, by the position of the highest bit and those that follow: no logarithm on the path of every call. */
export function slotOf(durationMs: number, precision: Precision): number {
  const units = durationMs < 65_536 ? (durationMs * UNITS_PER_MS) | 0 : 65_536 * UNITS_PER_MS;
  if (units < 1 << FIRST_OCTAVE) return 0;
  const octave = 31 - Math.clz32(units);
  const part = (units >> (octave - precision)) & ((1 << precision) - 1);
  return 1 + ((octave - FIRST_OCTAVE) << precision) + part;
}

function middleOf(slot: number, precision: Precision): number {
  if (slot === 0) return 2 ** (FIRST_OCTAVE - 1) / UNITS_PER_MS;
  const octave = FIRST_OCTAVE + ((slot - 1) >> precision);
  const part = (slot - 1) & ((1 << precision) - 1);
  return (2 ** octave * (1 + (part + 0.5) / 2 ** precision)) / UNITS_PER_MS;
}

/**
 * A histogram of durations.
 * Source: the slots of an HdrHistogram (hdrhistogram.org) of one significant digit or less.
 */
export class Durations {
  readonly #slots: Uint32Array;
  readonly #precision: Precision;
  readonly #calls: number;

  constructor(slots: Uint32Array, precision: Precision) {
    this.#slots = slots;
    this.#precision = precision;
    this.#calls = slots.reduce((sum, calls) => sum + calls, 0);
  }

  /** The duration in milliseconds that `share` (0 to 1) of the calls did not exceed; 0 without any call. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#calls));
    let seen = 0;
    for (const [slot, calls] of this.#slots.entries()) {
      seen += calls;
      if (seen >= rank) return middleOf(slot, this.#precision);
    }
    return 0;
  }

  /** In milliseconds; 0 without any call. */
  get mean(): number {
    if (this.#calls === 0) return 0;
    return this.#slots.reduce((sum, calls, slot) => sum + calls * middleOf(slot, this.#precision), 0) / this.#calls;
  }
}
