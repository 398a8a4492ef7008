import type { Member } from './member.js';

/** Members that may be picked, in an array that changes by one place at a time: what a pick draws from, whatever its length. */
export class Candidates<M extends Member = Member> {
  readonly members: M[] = [];
  #derived: unknown;

  add(member: M): void {
    if (member.pool) return;
    member.pool = this as unknown as Candidates;
    member.slot = this.members.push(member) - 1;
    this.#derived = undefined;
  }

  /** The last takes the place of the one that leaves. */
  remove(member: M): void {
    if (member.pool !== (this as unknown as Candidates)) return;
    const last = this.members.pop()!;
    if (last !== member) {
      this.members[member.slot] = last;
      last.slot = member.slot;
    }
    member.pool = undefined;
    member.slot = -1;
    this.#derived = undefined;
  }

  /** What `make` made of the members, until they change: tables and rings of pickers. One kind at a time. */
  derived<T extends object>(kind: abstract new (...args: never[]) => T, make: (members: readonly M[]) => T): T {
    if (!(this.#derived instanceof kind)) this.#derived = make(this.members);
    return this.#derived as T;
  }
}
