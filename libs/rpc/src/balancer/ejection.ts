import type { Random } from '@holdfast/core';
import type { Member } from './member.js';

/** Failures in a row that eject. As Envoy's `consecutive_5xx`. */
const FAILURES_IN_A_ROW = 5;
/** Time-outs in a row that eject: each of them has cost a caller its whole patience. */
const TIMEOUTS_IN_A_ROW = 2;
/** A success rate below this part of all members' ejects, once there are enough samples for it. */
const LEAST_OF_SUCCESS = 0.6;
const ENOUGH_SAMPLES = 20;
/** The first pause before a probe, in milliseconds; each ejection that follows doubles it. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
/** A member that has been well for so long is treated as one that was never ejected, in milliseconds. */
const FORGIVEN_AFTER_MS = 60_000;

/** What it tells its owner. */
export interface EjectionEvents<M extends Member> {
  /** `member` takes no calls any more (unless all do), or again does: the candidates change. */
  moved(member: M): void;
  /** `member` is to be probed in so many milliseconds. */
  waits(member: M, pauseMs: number): void;
  /** `member` has gone out, for the reason that it has, or is in again. */
  judged(member: M, standing: 'ejected' | 'readmitted'): void;
}

/**
 * Who is out, for how long, and when nobody is. A member goes out after failures or time-outs in a row, for a poor
 * success rate, or for its silence, and comes back by a probe that it passes. While more than half would be out, nobody
 * is (panic): then it is not the instances that are at fault, or there is nothing better to be had. So at most half are
 * out, and never the last.
 * Algorithm: outlier detection as in Envoy and gRFC A50, without its minimum number of hosts: this works with two.
 */
export class Ejections<M extends Member> {
  readonly #out = new Set<M>();
  readonly #random: Random;
  readonly #events: EjectionEvents<M>;
  #connected = 0;
  #panic = false;
  #count = 0;

  constructor(random: Random, events: EjectionEvents<M>) {
    this.#random = random;
    this.#events = events;
  }

  /** More than half would be out, so all take calls. */
  get panic(): boolean {
    return this.#panic;
  }

  /** How often a member went out. */
  get count(): number {
    return this.#count;
  }

  /** Whether `member` may take calls as far as this goes. */
  admits(member: M): boolean {
    return this.#panic || member.standing === 'in';
  }

  /** Call it after `member.connected` has changed. */
  connectionChanged(member: M): void {
    this.#connected += member.connected ? 1 : -1;
    if (member.standing !== 'in') {
      if (member.connected) this.#out.add(member);
      else this.#out.delete(member);
    }
    this.#weigh();
  }

  /** Judges `member` by how a call ended, which its numbers have already taken in; `usual` is the success rate of all. */
  judge(member: M, usual: number, now: number): void {
    const { failures, timeouts, onProbation, success } = member;
    if (failures === 0) {
      if (member.standing !== 'in' && this.#panic) this.readmit(member, now);
      else if (onProbation) member.onProbation = false;
      return;
    }
    if (member.standing !== 'in') return;
    if (timeouts >= TIMEOUTS_IN_A_ROW) this.eject(member, `${timeouts} time-outs in a row`, now);
    else if (failures >= FAILURES_IN_A_ROW) this.eject(member, `${failures} failures in a row`, now);
    else if (onProbation) this.eject(member, 'failed again on its return', now);
    else if (member.samples >= ENOUGH_SAMPLES && success < LEAST_OF_SUCCESS * usual) {
      this.eject(member, `${Math.round(100 * success)} % of its calls succeed`, now);
    }
  }

  eject(member: M, why: string, now: number): void {
    if (member.standing !== 'in') return;
    this.#count++;
    if (now - member.standingSince > FORGIVEN_AFTER_MS) member.ejections = 0;
    member.why = why;
    if (member.connected) this.#out.add(member);
    this.#pause(member, now);
    if (!this.#panic) this.#events.moved(member);
    this.#weigh();
    this.#events.judged(member, 'ejected');
  }

  /** The probe of `member` begins: `trial` where a real call is to be it. */
  probing(member: M, by: 'probing' | 'trial'): void {
    if (member.standing !== 'in') member.standing = by;
  }

  /** The probe of `member` failed: it waits for the next. */
  extend(member: M, now: number): void {
    if (member.standing !== 'in') this.#pause(member, now);
  }

  /** `member` takes calls again, with fresh numbers, and on probation. */
  readmit(member: M, now: number): void {
    if (member.standing === 'in') return;
    this.#out.delete(member);
    member.standing = 'in';
    member.standingSince = now;
    member.why = undefined;
    member.forget();
    member.onProbation = true;
    if (!this.#panic) member.enter(now);
    this.#events.moved(member);
    this.#weigh();
    this.#events.judged(member, 'readmitted');
  }

  #pause(member: M, now: number): void {
    const ceiling = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(member.ejections, 20));
    member.ejections++;
    member.standing = 'out';
    member.standingSince = now;
    this.#events.waits(member, ceiling * (0.5 + 0.5 * this.#random()));
  }

  #weigh(): void {
    const panic = this.#out.size > Math.floor(this.#connected / 2);
    if (panic === this.#panic) return;
    this.#panic = panic;
    for (const member of this.#out) this.#events.moved(member);
  }
}
