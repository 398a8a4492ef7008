import { addressOf, type Instance } from '@holdfast/discovery';
import { hashOf, mixed } from './balancer/hash.js';

/** The part of a subset that is taken from the process's own zone, where that has so many: enough is left if the zone fails. */
const FROM_OWN_ZONE = 0.7;

export interface SubsetOptions {
  /** What tells this process from its siblings. */
  readonly key: string;
  /** The zone that it runs in, whose instances come first. @default none */
  readonly zone?: string | undefined;
}

/**
 * The part of a large fleet that this process uses: always the same for the same key, another for each process, and where
 * one instance comes or goes at most one place changes. Processes are not numbered, hence not Google's deterministic
 * subsetting (Beyer et al., "Site Reliability Engineering", ch. 20), whose spread is more even.
 * Algorithm: rendezvous hashing (Thaler, Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM ToN 6(1), 1998).
 */
export class Subset {
  readonly #seed: number;
  readonly #zone: string | undefined;
  /** The ranks of instances that were seen before: an update names thousands that have not changed. */
  readonly #ranks = new WeakMap<Instance, number>();

  constructor({ key, zone }: SubsetOptions) {
    this.#seed = hashOf(key);
    this.#zone = zone;
  }

  /** Those of `instances` that the process uses, `limit` at most; all where they are not more. */
  of(instances: readonly Instance[], limit: number): readonly Instance[] {
    if (instances.length <= limit) return instances;
    const far = new Lowest<Instance>(limit);
    const near = new Lowest<Instance>(limit);
    for (const instance of instances) {
      const isNear = this.#zone !== undefined && instance.zone === this.#zone;
      (isNear ? near : far).offer(instance, this.#rankOf(instance));
    }
    const fromNear = Math.max(Math.round(FROM_OWN_ZONE * limit), limit - far.values.length);
    const chosen = near.values.slice(0, fromNear);
    return [...chosen, ...far.values.slice(0, limit - chosen.length)];
  }

  #rankOf(instance: Instance): number {
    let rank = this.#ranks.get(instance);
    if (rank === undefined) {
      rank = mixed(hashOf(addressOf(instance)) ^ this.#seed);
      this.#ranks.set(instance, rank);
    }
    return rank;
  }
}

/** The few of many values that have the lowest ranks, in order: without sorting the many. */
class Lowest<T> {
  readonly values: T[] = [];
  readonly #ranks: number[] = [];

  constructor(private readonly most: number) {}

  offer(value: T, rank: number): void {
    if (this.values.length === this.most && rank >= this.#ranks.at(-1)!) return;
    let [low, high] = [0, this.#ranks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranks[middle]! <= rank) low = middle + 1;
      else high = middle;
    }
    this.#ranks.splice(low, 0, rank);
    this.values.splice(low, 0, value);
    if (this.values.length <= this.most) return;
    this.#ranks.pop();
    this.values.pop();
  }
}
