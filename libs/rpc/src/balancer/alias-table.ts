import type { Random } from '@holdfast/core';
import type { Member } from './member.js';

/**
 * Draws members in proportion to their weights in constant time, whatever the weights are.
 * Algorithm: alias method (Walker, 1977) in Vose's linear-time form (IEEE TSE 17(9), 1991).
 */
export class AliasTable<M extends Member> {
  readonly #members: readonly M[];
  /** The chance that a place keeps its own member, and whose it is otherwise. */
  readonly #keeps: Float64Array;
  readonly #alias: Uint32Array;

  constructor(members: readonly M[]) {
    this.#members = [...members];
    this.#keeps = new Float64Array(members.length).fill(1);
    this.#alias = new Uint32Array(members.length);
    const all = members.reduce((sum, { weight }) => sum + weight, 0);
    const scaled = members.map(({ weight }) => (weight * members.length) / all);
    const small: number[] = [];
    const large: number[] = [];
    for (const [place, part] of scaled.entries()) (part < 1 ? small : large).push(place);
    while (small.length > 0 && large.length > 0) {
      const [less, more] = [small.pop()!, large.at(-1)!];
      this.#keeps[less] = scaled[less]!;
      this.#alias[less] = more;
      scaled[more]! -= 1 - scaled[less]!;
      if (scaled[more]! < 1) small.push(large.pop()!);
    }
  }

  draw(random: Random): M {
    const place = Math.floor(random() * this.#members.length);
    return this.#members[random() < this.#keeps[place]! ? place : this.#alias[place]!]!;
  }
}
