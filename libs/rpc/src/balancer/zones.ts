import { Candidates } from './candidates.js';
import type { Member } from './member.js';

/**
 * How much more than its usual load a zone is taken to bear: while at least 1 / 1.4 = 71 % of its instances are well, it
 * keeps all calls of its callers. As Envoy's overprovisioning factor for localities and priorities.
 */
const OVERPROVISIONING = 1.4;

/** The candidates, those of the caller's own zone apart from the others. Without a zone of its own, all are near. */
export class Zones<M extends Member> {
  readonly near = new Candidates<M>();
  readonly far = new Candidates<M>();
  readonly #zone: string | undefined;
  /** All that are listed in the own zone, whether they take calls or not. */
  readonly #nearby = new Set<M>();

  constructor(zone: string | undefined) {
    this.#zone = zone;
  }

  /** How many take calls. */
  get size(): number {
    return this.near.members.length + this.far.members.length;
  }

  /** The part of the calls that the own zone is able to take, 0 to 1; the rest goes to the others. */
  get nearShare(): number {
    return Math.min(1, (OVERPROVISIONING * this.near.members.length) / this.#nearby.size);
  }

  list(member: M): void {
    if (this.#isNear(member)) this.#nearby.add(member);
    else this.#nearby.delete(member);
  }

  unlist(member: M): void {
    this.#nearby.delete(member);
  }

  add(member: M): void {
    (this.#isNear(member) ? this.near : this.far).add(member);
  }

  remove(member: M): void {
    this.near.remove(member);
    this.far.remove(member);
  }

  #isNear(member: M): boolean {
    return this.#zone === undefined || member.zone === this.#zone;
  }
}
