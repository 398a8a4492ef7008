import type { Random } from '@holdfast/core';
import type { Member } from './member.js';

/** How long a new or returned member takes to its full share, in milliseconds. */
const RAMP_MS = 10_000;
/** Who comes within so many milliseconds of the first is no newer than that one. */
const TOGETHER_MS = 1_000;
/** It is drawn now and then from the first moment on. */
const LEAST = 0.002;

/**
 * Lets new members take part in few draws at first, in ever more as they grow older, and in all after 10 s. Ages are
 * relative: where all began together, nobody is new, and where the others are young themselves, a new one soon is their
 * equal. The draws that it takes part in are spread evenly, not left to chance, which would double a share this small every
 * now and then.
 * Source: Envoy's slow start, with a linear ramp, by draws in place of weights.
 */
export class SlowStart {
  /** Since when some member takes calls without a break. */
  servingSince = -Infinity;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  isNew(member: Member, now: number): boolean {
    if (!member.maybeNew) return false;
    member.maybeNew = now - member.joinedAt < RAMP_MS && member.joinedAt > this.servingSince + TOGETHER_MS;
    return member.maybeNew;
  }

  /**
   * Whether `member` takes part in a draw in which it is compared with `rivals - 1` others. Who has nothing in flight wins
   * nearly every comparison, and would have `rivals` times the share that it is drawn for.
   */
  admits(member: Member, rivals: number, now: number): boolean {
    if (!member.maybeNew || !this.isNew(member, now)) return true;
    const age = now - member.joinedAt;
    const serving = now - this.servingSince;
    const later = Math.min(1, (serving - age) / RAMP_MS);
    const part = (age / Math.min(RAMP_MS, serving)) * (1 - later * (1 - 1 / rivals));
    // Many callers meet a new instance at once: each begins elsewhere on the way to its first draw.
    member.turn = (member.turn ?? this.#random()) + Math.max(LEAST, part);
    if (member.turn < 1) return false;
    member.turn--;
    return true;
  }
}
