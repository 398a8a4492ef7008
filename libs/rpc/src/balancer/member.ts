import type { Candidates } from './candidates.js';

/** What the registry says of an instance, as far as balancing goes. */
export interface Listed {
  readonly zone?: string;
  /** Share of the load relative to its siblings, 1 to 100. @default 1 */
  readonly weight?: number;
}

/** in: takes calls · out: ejected, waits for its probe · probing: ejected, the probe runs · trial: ejected, one real call is its probe */
export type Standing = 'in' | 'out' | 'probing' | 'trial';

/** A sample that comes so long after the last counts one half, in milliseconds. */
const LIFETIME_MS = 2_000;
/** One sample counts for at least this much, and at most that much. */
const LEAST_GAIN = 0.05;
const MOST_GAIN = 0.8;
/** A latency above the average counts for at least this much: it rises sooner than it falls. */
const PEAK_GAIN = 0.3;
/** A success or failure counts for at most this much, so that one failure of a rarely used instance is no verdict. */
const MOST_SUCCESS_GAIN = 0.3;
/** Added to every latency, in milliseconds: differences below it are noise, not merit. */
const FLOOR_MS = 1;
/** A success rate never weighs heavier than this one. */
const LEAST_SUCCESS = 0.05;
const SHARE_WINDOW_MS = 5_000;

/**
 * One instance as a balancer sees it, keyed by its address: what was learned of it outlives every update of the view.
 * It counts and measures; who may take calls is for {@link Ejections}, who gets the next for the pickers.
 */
export class Member {
  // What every pick looks at comes first: in a large fleet, picking is mostly waiting for memory.
  /** Calls that run on it now. */
  inFlight = 0;
  /** Those of them that wait for an answer within a bounded time: streams may be silent for as long as they like. */
  waiting = 0;
  /** Whether it may be new enough to start slowly. */
  maybeNew = false;
  /** Share of the load relative to its siblings. */
  weight: number;
  /** Latency over success as of the last call, in milliseconds; 0 before the first answer. */
  slowness = 0;
  /** When the last attempt was sent to it, on the balancer's clock, in milliseconds; -Infinity before the first. */
  pickedAt = -Infinity;
  /** Since when it owes an answer: the last that it gave, or when it began to owe one. */
  silentSince = -Infinity;

  readonly address: string;
  zone: string | undefined;
  /** Attempts that were sent to it since it was made. */
  picks = 0;
  /** Average latency of its answers, in milliseconds, quicker to rise than to fall; 0 before the first. */
  latencyMs = 0;
  /** Decayed share of its attempts that succeeded, 0 to 1. */
  success = 1;
  /** Attempts that were judged since the numbers began. */
  samples = 0;
  /** Failures and time-outs in a row. */
  failures = 0;
  /** Time-outs in a row. */
  timeouts = 0;

  /** Whether it has a connection that takes calls. */
  connected = false;
  /** When it lost its connection last. */
  lostAt = -Infinity;
  /** When it became a candidate, or one again; what slow start counts from. */
  joinedAt = -Infinity;
  standing: Standing = 'in';
  /** Why it is out, as a sentence's end: "5 failures in a row". */
  why: string | undefined;
  /** When its standing last changed. */
  standingSince = -Infinity;
  /** Ejections that followed upon each other, which the back-off grows with. */
  ejections = 0;
  /** Back from an ejection and not yet proven: its next failure ejects it again. */
  onProbation = false;

  /** @internal while it starts slowly: how far it is on the way to its next draw, 0 to 1 */
  turn: number | undefined = undefined;
  /** @internal where it is among the candidates */
  pool: Candidates<Member> | undefined = undefined;
  /** @internal */
  slot = -1;
  /** @internal where it is on a ring of hashes, once it is asked for */
  hash: number | undefined = undefined;
  #measuredAt = -Infinity;
  #judgedAt = -Infinity;
  #windowStart = -Infinity;
  #recent = 0;
  #before = 0;

  constructor(address: string, listed: Listed) {
    this.address = address;
    this.zone = listed.zone;
    this.weight = listed.weight ?? 1;
  }

  /** It takes calls from now on, and is new. */
  enter(now: number): void {
    this.joinedAt = now;
    this.maybeNew = true;
    this.turn = undefined;
  }

  /** Starts as if it had never been seen: another process has taken over the address. */
  renew(): void {
    this.forget();
    this.ejections = 0;
    this.onProbation = false;
  }

  /** Starts the measurements afresh. */
  forget(): void {
    this.latencyMs = 0;
    this.success = 1;
    this.slowness = 0;
    this.samples = 0;
    this.failures = 0;
    this.timeouts = 0;
  }

  /** Takes over what is held against `other`, which was the same process, gone for a while: to leave and come back clears nobody. */
  inherit(other: Member): void {
    this.ejections = other.ejections;
    this.standingSince = other.standingSince;
    this.onProbation = other.onProbation || other.standing !== 'in';
  }

  /** How long it has owed an answer, in milliseconds: the least that its slowest call will have taken. */
  silence(now: number): number {
    return this.waiting > 0 ? now - this.silentSince : 0;
  }

  /** How many calls it was picked for in the last 5 to 10 s. */
  recentPicks(now: number): number {
    this.#turn(now);
    return this.#recent + this.#before;
  }

  begin(now: number, bounded: boolean): void {
    this.#turn(now);
    this.#recent++;
    this.picks++;
    this.pickedAt = now;
    this.inFlight++;
    if (!bounded) return;
    if (this.waiting === 0) this.silentSince = now;
    this.waiting++;
  }

  end(now: number, bounded: boolean, answered: boolean): void {
    this.inFlight--;
    if (bounded) this.waiting--;
    if (answered) this.silentSince = now;
  }

  /**
   * Takes a latency into the average.
   * Algorithm: peak EWMA (Finagle `PeakEwma`) over unevenly spaced samples (Eckner, "Algorithms for Unevenly Spaced Time
   * Series", 2019), with a bounded step up in place of a jump: with two or three instances one outlier would drive all
   * calls to the others.
   */
  measure(durationMs: number, now: number): void {
    if (this.latencyMs === 0) this.latencyMs = durationMs;
    else {
      const gain = gainOf(now - this.#measuredAt);
      this.latencyMs +=
        (durationMs > this.latencyMs ? Math.max(gain, PEAK_GAIN) : gain) * (durationMs - this.latencyMs);
    }
    this.#measuredAt = now;
    this.slowness = slownessOf(this.latencyMs, this.success);
  }

  /** Takes a success or failure into the average. */
  judge(succeeded: boolean, now: number): void {
    const gain = Math.min(gainOf(now - this.#judgedAt), MOST_SUCCESS_GAIN);
    this.success += gain * ((succeeded ? 1 : 0) - this.success);
    this.samples++;
    this.#judgedAt = now;
    if (this.latencyMs !== 0) this.slowness = slownessOf(this.latencyMs, this.success);
  }

  #turn(now: number): void {
    const age = now - this.#windowStart;
    if (age < SHARE_WINDOW_MS) return;
    this.#before = age < 2 * SHARE_WINDOW_MS ? this.#recent : 0;
    this.#recent = 0;
    this.#windowStart = now;
  }
}

/** What latency and success come to, in milliseconds: the one measure of how well an instance answers. */
export function slownessOf(latencyMs: number, success: number): number {
  const part = success < LEAST_SUCCESS ? LEAST_SUCCESS : success;
  return (latencyMs + FLOOR_MS) / (part * part);
}

/** What a sample counts that comes so long after the last. Like 1 - e^-x where it matters, and cheaper. */
function gainOf(pauseMs: number): number {
  const gain = pauseMs === Infinity ? 1 : pauseMs / (pauseMs + LIFETIME_MS);
  return gain < LEAST_GAIN ? LEAST_GAIN : gain > MOST_GAIN ? MOST_GAIN : gain;
}
