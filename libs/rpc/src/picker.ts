import type { Random } from '@holdfast/core';
import type { Peer } from './peer.js';

/** Chooses one of the peers (never an empty list) for a call, at once and without looking at anything else. */
export type Picker = (peers: readonly Peer[]) => Peer;

/** In turn, from a random start, so that many callers do not begin with the same instance. */
function roundRobin(random: Random): Picker {
  let turn = Math.floor(random() * 1_000);
  return (peers) => peers[turn++ % peers.length]!;
}

function uniformRandom(random: Random): Picker {
  return (peers) => peers[Math.floor(random() * peers.length)]!;
}

/**
 * The one with fewer calls in flight of two drawn at random: least connections at a cost that does not grow with the
 * fleet. Algorithm: "power of two choices" (Mitzenmacher, IEEE TPDS 12(10), 2001), as gRFC A48 `least_request`.
 */
function leastRequest(random: Random): Picker {
  return (peers) => {
    const first = Math.floor(random() * peers.length);
    if (peers.length === 1) return peers[first]!;
    // Drawn from the others, so that the two always differ.
    const second = (first + 1 + Math.floor(random() * (peers.length - 1))) % peers.length;
    return peers[second]!.inFlight < peers[first]!.inFlight ? peers[second]! : peers[first]!;
  };
}

const pickers = { round_robin: roundRobin, random: uniformRandom, least_request: leastRequest };

/** What `rpc.<target>.balancer` may name. */
export type BalancerName = keyof typeof pickers;
export const balancerNames = Object.keys(pickers) as BalancerName[];

export function pickerNamed(name: BalancerName, random: Random): Picker {
  return pickers[name](random);
}
