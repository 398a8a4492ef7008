import { slownessOf, type Member } from './member.js';

/** How soon a poor latency or success of a member that gets no calls is forgotten, in milliseconds: the time to half of it. */
const HALF_FORGOTTEN_MS = 15_000;
/** A member that keeps losing is picked all the same after so long, in milliseconds, to see whether it has become better. */
const LEFT_ALONE_MS = 3_000;
/** Such picks are at most this share of all, and one every so often where there are few. */
const FORCED_SHARE = 0.005;
const FORCED_EVERY_MS = 10_000;
/** What one call counts in the averages of all. */
const USUAL_GAIN = 0.02;
/** By how much an instance in another zone must be quicker to get a call. */
const MUCH_BETTER = 3;

/**
 * What the next call would cost on a member, relative to its siblings: latency × calls in flight ÷ success, so that slow,
 * busy and failing members get less, each by itself. Two things make it see what an average of answers cannot:
 * while a member owes an answer, the time that it has owed it counts as its latency; and what is known of a member
 * that gets no calls fades.
 * Algorithm: Finagle's peak EWMA load (`cost · (pending + 1)`), with success in it as in go-zero's and Kratos' p2c.
 */
export class Score {
  /** Average latency and success of all members' calls. */
  usualMs = 0;
  usualSuccess = 1;
  #forcedAt = -Infinity;
  #forcedCredit = 1;

  of(member: Member, now: number): number {
    return (this.#slowness(member, now) * (member.inFlight + 1)) / member.weight;
  }

  /** Whether `one` is so much better that it is worth a longer way; or is to be tried, to know that. */
  isMuchBetter(one: Member, other: Member, now: number): boolean {
    if (now - one.pickedAt > LEFT_ALONE_MS && this.#mayForce(now)) return true;
    return this.#slowness(one, now) * MUCH_BETTER < this.#slowness(other, now);
  }

  /** Latency over success, as far as they are still true. */
  #slowness(member: Member, now: number): number {
    if (member.inFlight === 0) {
      const idle = now - member.pickedAt;
      if (idle > LEFT_ALONE_MS) return this.#faded(member, idle);
    }
    const slowness = member.slowness === 0 ? slownessOf(this.usualMs, member.success) : member.slowness;
    if (member.waiting === 0) return slowness;
    const silence = now - member.silentSince;
    if (silence <= this.usualMs || silence <= member.latencyMs) return slowness;
    return slownessOf(silence, member.success);
  }

  #faded(member: Member, idle: number): number {
    const kept = HALF_FORGOTTEN_MS / (HALF_FORGOTTEN_MS + idle);
    const latency = member.latencyMs === 0 ? this.usualMs : member.latencyMs;
    const excess = Math.max(0, latency - this.usualMs);
    return slownessOf(latency - (1 - kept) * excess, 1 - kept * (1 - member.success));
  }

  /** Whether a member that keeps losing gets a call all the same, so that a verdict does not outlive its reason. */
  isOverdue(member: Member, now: number): boolean {
    return now - member.pickedAt > LEFT_ALONE_MS && member.inFlight === 0 && this.#mayForce(now);
  }

  /** A call ended on some member. */
  note(durationMs: number | undefined, succeeded: boolean): void {
    if (succeeded && durationMs !== undefined) {
      this.usualMs = this.usualMs === 0 ? durationMs : this.usualMs + USUAL_GAIN * (durationMs - this.usualMs);
    }
    this.usualSuccess += USUAL_GAIN * ((succeeded ? 1 : 0) - this.usualSuccess);
    if (this.#forcedCredit < 1) this.#forcedCredit += FORCED_SHARE;
  }

  #mayForce(now: number): boolean {
    if (this.#forcedCredit < 1 && now - this.#forcedAt < FORCED_EVERY_MS) return false;
    this.#forcedCredit = Math.max(0, this.#forcedCredit - 1);
    this.#forcedAt = now;
    return true;
  }
}
