import { hashOf, mixed } from './hash.js';
import type { Member } from './member.js';

/** How often a key looks for a member: with 21 the fullest member has 5 % more keys than the average. */
const PROBES = 21;
/** A member with so much more than the average in flight passes its keys on to the next. */
const OVERLOAD = 1.25;
/** With fewer in flight no member is overloaded: among few calls, to stay is worth more than to be even. */
const FEW_IN_FLIGHT = 8;
const CIRCLE = 2 ** 32;

/**
 * Keys to members such that a key stays where it is while members come and go, but not on a member that is overloaded:
 * then, and only while it is, the next on the ring has it.
 * Algorithm: multi-probe consistent hashing (Appleton, O'Reilly, arXiv:1505.00062, 2015), one point per member; load bound as
 * "Consistent Hashing with Bounded Loads" (Mirrokni, Thorup, Zadimoghaddam, SODA 2018).
 */
export class HashRing<M extends Member> {
  readonly #points: Float64Array;
  readonly #members: readonly M[];

  constructor(members: readonly M[]) {
    // Hash and place in one number, so that a plain numeric sort keeps them together.
    const packed = new Float64Array(members.length);
    for (const [place, member] of members.entries())
      packed[place] = (member.hash ??= hashOf(member.address)) * 2 ** 21 + place;
    packed.sort();
    this.#members = Array.from(packed, (both) => members[both % 2 ** 21]!);
    this.#points = packed.map((both) => Math.floor(both / 2 ** 21));
  }

  /** The member for `key`, or the one `further` places on, among members with `running` calls in flight together. */
  at(key: string, further: number, running: number): M {
    const count = this.#members.length;
    const most = Math.max(FEW_IN_FLIGHT, Math.ceil((OVERLOAD * (running + 1)) / count));
    let place = this.#home(hashOf(key));
    let left = further;
    for (let steps = 0; steps < count; steps++) {
      const member = this.#members[place]!;
      if (member.inFlight < most && left-- === 0) return member;
      place = (place + 1) % count;
    }
    return this.#members[(place + further) % count]!;
  }

  /** The place of the point that follows most closely on one of the key's probes. */
  #home(hash: number): number {
    let best = 0;
    let least = Infinity;
    for (let probe = 0; probe < PROBES; probe++) {
      const at = mixed(hash + Math.imul(probe, 0x9e3779b9));
      const place = this.#next(at);
      const distance = (this.#points[place]! - at + CIRCLE) % CIRCLE;
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  }

  /** The place of the first point at or after `at`, the first of all after the last. */
  #next(at: number): number {
    let [low, high] = [0, this.#points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#points[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low === this.#points.length ? 0 : low;
  }
}
