import type { Random } from '@holdfast/core';
import { AliasTable } from './alias-table.js';
import type { Candidates } from './candidates.js';
import { HashRing } from './hash-ring.js';
import type { Member } from './member.js';
import type { Score } from './score.js';
import type { SlowStart } from './slow-start.js';

/** What a picker may look at, besides the members. */
export interface Draw {
  readonly now: number;
  readonly hashKey: string | undefined;
  /** How often the call was drawn for already: what was drawn then starts slowly, was tried, or is silent. */
  readonly redraws: number;
  /** Calls in flight on all members. */
  readonly running: number;
  readonly score: Score;
  readonly slowStart: SlowStart;
}

/** Chooses one of the candidates (never none) for a call, at once. */
export type Picker = (candidates: Candidates, draw: Draw) => Member;

/** How many members `p2c_ewma` compares in a fleet of up to {@link FEW}, and in a larger one. */
const CHOICES = 5;
const CHOICES_OF_MANY = 2;
const FEW = 100;
/** A score is better only if it is so by this factor: lesser differences are noise, and following it would leave siblings idle. */
const ALIKE = 1.3;

/** In turn, from a random start, so that many callers do not begin with the same instance. */
function roundRobin(random: Random): Picker {
  let turn = Math.floor(random() * 1_000);
  return ({ members }) => members[turn++ % members.length]!;
}

function uniformRandom(random: Random): Picker {
  return ({ members }) => members[Math.floor(random() * members.length)]!;
}

/**
 * The one with fewer calls in flight of two drawn at random: least connections at a cost that does not grow with the
 * fleet. Algorithm: "power of two choices" (Mitzenmacher, IEEE TPDS 12(10), 2001), as gRFC A48 `least_request`.
 */
function leastRequest(random: Random): Picker {
  return ({ members }) => {
    const place = Math.floor(random() * members.length);
    const first = members[place]!;
    if (members.length === 1) return first;
    // Drawn from the others, so that the two always differ.
    const other = Math.floor(random() * (members.length - 1));
    const second = members[other >= place ? other + 1 : other]!;
    return second.inFlight < first.inFlight ? second : first;
  };
}

/**
 * The best {@link Score} of a few drawn at random: "power of d choices". Two are enough where the fleet is large; among a
 * few instances, two often miss the good ones: in the simulator, five have a tail that is up to a quarter shorter
 * where speeds differ, without the herding that a look at all of a large fleet would bring. A loser that was left alone
 * for long may be picked all the same.
 */
function p2cEwma(random: Random): Picker {
  return ({ members }, { score, slowStart, now }) => {
    const count = members.length;
    let place = Math.floor(random() * count);
    if (count === 1) return members[0]!;
    const choices = Math.min(count, count <= FEW ? CHOICES : CHOICES_OF_MANY);
    // Any step but a multiple of the length leads elsewhere; now and then one leads back sooner, and fewer are compared.
    const step = choices === count ? 1 : 1 + Math.floor(random() * (count - 1));
    let best: Member | undefined;
    let least = Infinity;
    for (let choice = 0; choice < choices; choice++) {
      const other = members[place]!;
      place += step;
      if (place >= count) place -= count;
      if (!slowStart.admits(other, choices, now)) continue;
      const cost = score.of(other, now);
      const loser = cost * ALIKE < least ? best : other;
      if (loser === best) [best, least] = [other, cost];
      if (loser && score.isOverdue(loser, now)) return loser;
    }
    return best ?? members[place]!;
  };
}

/** In proportion to the weights that the instances were registered with. */
function weighted(random: Random): Picker {
  return (candidates) => candidates.derived(AliasTable, (members) => new AliasTable(members)).draw(random);
}

/** Calls with the same hash key go to the same instance, while it is not overloaded. A call without a key goes by `p2c_ewma`. */
function consistentHash(random: Random): Picker {
  const keyless = p2cEwma(random);
  return (candidates, draw) => {
    if (draw.hashKey === undefined) return keyless(candidates, draw);
    const ring = candidates.derived(HashRing, (members) => new HashRing(members));
    return ring.at(draw.hashKey, draw.redraws, draw.running);
  };
}

const pickers = {
  p2c_ewma: p2cEwma,
  round_robin: roundRobin,
  random: uniformRandom,
  least_request: leastRequest,
  weighted,
  consistent_hash: consistentHash,
};

/** What `rpc.<target>.balancer` may name. */
export type BalancerName = keyof typeof pickers;
export const balancerNames = Object.keys(pickers) as BalancerName[];
export const defaultBalancer: BalancerName = 'p2c_ewma';

/** Whether the picker itself lets new members take part in few draws; for the others, what they draw is drawn again. */
export const startsSlowly = (name: BalancerName): boolean => name === 'p2c_ewma';

export function pickerNamed(name: BalancerName, random: Random): Picker {
  return pickers[name](random);
}
