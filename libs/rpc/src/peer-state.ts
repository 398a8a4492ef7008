import type { Clock } from '@holdfast/core';
import type { Balancer } from './balancer/balancer.js';
import type { Peer } from './peer.js';
import type { LinkState } from './transport.js';

/** How one peer stands, for operators: what `/mesh` shows. */
export interface PeerState {
  readonly address: string;
  readonly id: string;
  readonly zone: string | undefined;
  /** Share of the load relative to its siblings, 1 to 100. */
  readonly weight: number;
  /** Its link's where that takes no calls; else drained (an operator wants it so), ejected, probing (its probe is under way), warming (new or back: few calls at first) or ready. */
  readonly state: LinkState | 'drained' | 'ejected' | 'probing' | 'warming';
  /** Why, where that is not plain. */
  readonly why: string | undefined;
  /** Since when it has been ejected, or has taken calls; milliseconds since the epoch, null before. */
  readonly since: number | null;
  readonly inFlight: number;
  /** Attempts that were sent to it since it was made; health checks are none. */
  readonly picks: number;
  /** Average latency of its answers, in milliseconds; null before the first. */
  readonly ewmaMs: number | null;
  /** Decayed share of its attempts that succeeded, 0 to 1. */
  readonly successRate: number;
  /** Its share of the target's picks in the last 5 to 10 s. */
  readonly share: number;
  /** How long it has been left alone, in milliseconds; null before its first call. */
  readonly idleMs: number | null;
}

export function peerStates(peers: readonly Peer[], balancer: Balancer<Peer>, clock: Clock): readonly PeerState[] {
  const now = clock.now();
  const shares = balancer.sharesOf(peers);
  const wall = (at: number) => (at === -Infinity ? null : Math.round(clock.wallTime() - (now - at)));
  return peers.map((peer, index) => ({
    address: peer.address,
    id: peer.instance.id,
    zone: peer.instance.zone,
    weight: peer.weight,
    state: stateOf(peer, balancer),
    why: whyOf(peer, balancer),
    since: wall(peer.standing === 'in' ? peer.joinedAt : peer.standingSince),
    inFlight: peer.inFlight,
    picks: peer.picks,
    ewmaMs: peer.latencyMs === 0 ? null : rounded(peer.latencyMs),
    successRate: rounded(peer.success),
    share: rounded(shares[index]!),
    idleMs: peer.pickedAt === -Infinity ? null : now - peer.pickedAt,
  }));
}

function stateOf(peer: Peer, balancer: Balancer<Peer>): PeerState['state'] {
  const link = peer.link.state.value;
  if (link !== 'ready') return link;
  if (peer.drained) return 'drained';
  if (peer.standing === 'out') return 'ejected';
  if (peer.standing !== 'in') return 'probing';
  return balancer.isWarming(peer) ? 'warming' : 'ready';
}

function whyOf(peer: Peer, balancer: Balancer<Peer>): string | undefined {
  if (peer.drained) return 'an operator lets it have no calls';
  if (peer.standing === 'in') return peer.onProbation ? 'back from an ejection' : undefined;
  return balancer.panic ? `${peer.why}; takes calls all the same, since most would be ejected` : peer.why;
}

const rounded = (value: number) => Math.round(value * 1_000) / 1_000;
