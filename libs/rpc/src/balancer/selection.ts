import type { Random } from '@holdfast/core';
import type { Candidates } from './candidates.js';
import type { Member } from './member.js';
import type { PickCall } from './pick-call.js';
import { pickerNamed, startsSlowly, type BalancerName, type Draw, type Picker } from './picker.js';
import type { Score } from './score.js';
import { SlowStart } from './slow-start.js';
import { Zones } from './zones.js';

/** A member is not held for hung before so long a silence, in milliseconds, however impatient its callers are. */
const LEAST_SILENCE_MS = 500;
/** How often is drawn again at most, where the one drawn starts slowly, was tried, or has gone silent. */
const MOST_REDRAWS = 3;
/** As many as any of the pickers that leave slow start to the selection compares. */
const RIVALS = 2;
/** Up to so many members are looked through for one that was not tried; among more, one is drawn soon enough. */
const FEW = 32;

/**
 * Chooses a member for a call by what any picker leaves out: the own zone first, not where the call has been, few calls to
 * those that are new, and none to one that has gone silent, which it reports.
 */
export class Selection<M extends Member> {
  readonly zones: Zones<M>;
  readonly slowStart: SlowStart;
  /** When any member answered last. */
  answeredAt = -Infinity;
  /** Calls in flight on all members. */
  running = 0;
  readonly #random: Random;
  readonly #score: Score;
  readonly #onSilence: (member: M, now: number) => void;
  /** What pickers are shown; one object for all picks. */
  readonly #draw: { -readonly [K in keyof Draw]: Draw[K] };
  #picker: Picker;
  #name: BalancerName;

  constructor(
    picker: BalancerName,
    zone: string | undefined,
    score: Score,
    random: Random,
    onSilence: (member: M, now: number) => void,
  ) {
    this.zones = new Zones(zone);
    this.#score = score;
    this.#random = random;
    this.#onSilence = onSilence;
    this.slowStart = new SlowStart(random);
    this.#name = picker;
    this.#picker = pickerNamed(picker, random);
    this.#draw = { now: 0, hashKey: undefined, redraws: 0, running: 0, score, slowStart: this.slowStart };
  }

  use(picker: BalancerName): void {
    this.#name = picker;
    this.#picker = pickerNamed(picker, this.#random);
  }

  /** The member for a call, undefined where none takes calls. */
  select(call: PickCall, now: number): M | undefined {
    const { near, far, nearShare } = this.zones;
    if (far.members.length === 0) return this.#from(near, call, now);
    if (near.members.length === 0 || this.#random() >= nearShare) return this.#from(far, call, now);
    const nearest = this.#from(near, call, now);
    const other = far.members[Math.floor(this.#random() * far.members.length)]!;
    if (!nearest) return other;
    return this.#score.isMuchBetter(other, nearest, now) && !call.tried?.has(other.address) ? other : nearest;
  }

  #from(candidates: Candidates<M>, call: PickCall, now: number): M | undefined {
    const { tried } = call;
    const draw = this.#draw;
    draw.now = now;
    draw.hashKey = call.hashKey;
    draw.running = this.running;
    for (draw.redraws = 0; candidates.members.length > 0; draw.redraws++) {
      const member = this.#picker(candidates as unknown as Candidates, draw) as M;
      const isTried = tried !== undefined && tried.has(member.address);
      const isLast = draw.redraws === MOST_REDRAWS;
      if (isTried && !isLast) continue;
      if (!isLast && !startsSlowly(this.#name) && !this.slowStart.admits(member, RIVALS, now)) continue;
      const chosen = isTried ? this.#untried(candidates.members, tried, now) : member;
      if (!this.#isSilent(chosen, call, now)) return chosen;
      this.#onSilence(chosen, now);
      if (isLast) return member;
    }
    return undefined;
  }

  /** The best of those that the call has not been to, or of all where it has been everywhere. */
  #untried(members: readonly M[], tried: ReadonlySet<string>, now: number): M {
    let best = members[Math.floor(this.#random() * members.length)]!;
    if (members.length > FEW) return best;
    for (const member of members) {
      if (tried.has(member.address)) continue;
      if (tried.has(best.address) || this.#score.of(member, now) < this.#score.of(best, now)) best = member;
    }
    return best;
  }

  /** It owes an answer for longer than the call would wait, while others gave theirs: after a standstill of this process nobody has. */
  #isSilent(member: M, { patienceMs = Infinity }: PickCall, now: number): boolean {
    const silence = member.silence(now);
    if (silence <= LEAST_SILENCE_MS || silence <= patienceMs) return false;
    return member.standing === 'in' && this.answeredAt > now - silence / 2;
  }
}
