import type { Instance } from './driver.js';
import { addressOf, byId, isUsable, sameInstance } from './instances.js';

/**
 * The usable part of a registry's answers about one service, kept from answer to answer, so that a change costs what has
 * changed and not what is there: entries of another service, without an id or a host, or with an impossible port are left
 * out, and of several at one address the one that sorts last by id stays.
 *
 * What a driver gives as the same object again is taken for unchanged at the price of one comparison; what is equal in
 * another object keeps its old one. So a listener can compare by identity, too.
 */
export class Roster {
  readonly #service: string;
  /** All usable entries of the last answer, by address. */
  readonly #claims = new Map<string, Instance[]>();
  /** Of them, the one that stays. */
  readonly #holders = new Map<string, Instance>();
  #answer: readonly Instance[] = [];
  #instances: readonly Instance[] = [];

  constructor(service: string) {
    this.#service = service;
  }

  /** In the order of ids; the same array as before where nothing has changed. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }

  has(address: string): boolean {
    return this.#holders.has(address);
  }

  /** Takes the next answer. @returns the instances whose addresses were there before and are no longer */
  take(answer: readonly Instance[]): readonly Instance[] {
    const { gone, come } = difference(this.#answer, answer);
    this.#answer = answer;
    const touched = new Set<string>();
    for (const instance of gone) if (isUsable(instance, this.#service)) touched.add(this.#unclaim(instance));
    for (const instance of come) if (isUsable(instance, this.#service)) touched.add(this.#claim(instance));
    return this.#settle(touched);
  }

  #claim(instance: Instance): string {
    const address = addressOf(instance);
    const claims = this.#claims.get(address);
    if (claims) claims.push(instance);
    else this.#claims.set(address, [instance]);
    return address;
  }

  #unclaim(instance: Instance): string {
    const address = addressOf(instance);
    const claims = this.#claims.get(address) ?? [];
    claims.splice(claims.indexOf(instance), 1);
    if (claims.length === 0) this.#claims.delete(address);
    return address;
  }

  /** Decides anew who holds each of `addresses`. */
  #settle(addresses: Iterable<string>): readonly Instance[] {
    const dropped: Instance[] = [];
    const left: Instance[] = [];
    const added: Instance[] = [];
    for (const address of addresses) {
      const was = this.#holders.get(address);
      const now = this.#claims.get(address)?.reduce((last, one) => (byId(one, last) > 0 ? one : last));
      if (was && now && sameInstance(was, now)) continue;
      if (was) left.push(was);
      if (now) {
        added.push(now);
        this.#holders.set(address, now);
      } else if (was) {
        dropped.push(was);
        this.#holders.delete(address);
      }
    }
    if (left.length > 0 || added.length > 0) this.#instances = edited(this.#instances, left, added);
    return dropped;
  }
}

/** What is in one list and not in the other, as often as that; unchanged beginnings and ends cost next to nothing. */
function difference(
  before: readonly Instance[],
  after: readonly Instance[],
): { gone: readonly Instance[]; come: readonly Instance[] } {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let [beforeEnd, afterEnd] = [before.length, after.length];
  while (beforeEnd > start && afterEnd > start && before[beforeEnd - 1] === after[afterEnd - 1]) {
    beforeEnd--;
    afterEnd--;
  }
  const counts = new Map<Instance, number>();
  for (let at = start; at < beforeEnd; at++) counts.set(before[at]!, (counts.get(before[at]!) ?? 0) + 1);
  const come: Instance[] = [];
  for (let at = start; at < afterEnd; at++) {
    const count = counts.get(after[at]!) ?? 0;
    if (count === 0) come.push(after[at]!);
    else if (count === 1) counts.delete(after[at]!);
    else counts.set(after[at]!, count - 1);
  }
  const gone = [...counts].flatMap(([instance, count]) => Array.from({ length: count }, () => instance));
  return { gone, come };
}

/** `list`, which is in the order of ids, without `left` and with `added` in their places. What lies between is copied as a whole. */
function edited(list: readonly Instance[], left: readonly Instance[], added: readonly Instance[]): readonly Instance[] {
  const edits = [
    ...left.map((one) => ({ at: placeOf(one, list), removed: 1, added: [] as readonly Instance[] })),
    ...added.toSorted(byId).map((one) => ({ at: placeOf(one, list), removed: 0, added: [one] })),
  ].sort((a, b) => a.at - b.at);
  const pieces: (readonly Instance[])[] = [];
  let done = 0;
  for (const edit of edits) {
    pieces.push(list.slice(done, edit.at), edit.added);
    done = Math.max(done, edit.at + edit.removed);
  }
  return joined([...pieces, list.slice(done)]);
}

/** Where `instance` is in the list, or belongs. */
function placeOf(instance: Instance, list: readonly Instance[]): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byId(list[middle]!, instance) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One array of many, which `flat` makes ten times slower. */
function joined(pieces: readonly (readonly Instance[])[]): readonly Instance[] {
  return ([] as readonly Instance[]).concat(...pieces);
}
