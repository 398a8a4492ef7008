import type { PeerState, RpcTargets } from '@holdfast/rpc';
import type { Registry } from 'prom-client';
import { pulledCounter, pulledGauge } from './pulled.js';

/** Peers of a target that have series of their own; those beyond are one, `_OTHER`. A process connects to 100 at most. */
const MOST_PEERS = 100;
const OTHER = '_OTHER';
const states = ['ready', 'warming', 'probing', 'ejected', 'connecting', 'failing', 'idle'] as const;

/** How the targets of this process and their peers stand. */
export function targetMetrics(registry: Registry, targets: RpcTargets): void {
  const perTarget = targetsOf(targets);
  pulledGauge(registry, {
    name: 'holdfast_target_peers',
    help: 'Instances of a target that this process uses, by how they stand.',
    labels: ['target', 'state'],
    collect: (set) => {
      for (const { target, peers } of perTarget()) {
        for (const state of states) set({ target, state }, peers.filter((peer) => peer.state === state).length);
      }
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_target_panic',
    help: '1 while more than half of the instances would be ejected, so that none is.',
    labels: ['target'],
    collect: (set) => {
      for (const { name, panic } of targets.all) set({ target: name }, panic ? 1 : 0);
    },
  });
  pulledCounter(registry, {
    name: 'holdfast_target_ejections_total',
    help: 'How often an instance was ejected.',
    labels: ['target'],
    collect: (add) => {
      for (const { name, ejections } of targets.all) add({ target: name }, ejections);
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_target_retry_budget',
    help: 'Failovers to another instance that may be made now.',
    labels: ['target'],
    collect: (set) => {
      for (const { name, retryBudget } of targets.all) set({ target: name }, retryBudget);
    },
  });
  pulledCounter(registry, {
    name: 'holdfast_peer_picks_total',
    help: 'Attempts that were sent to an instance.',
    labels: ['target', 'peer'],
    collect: (add) => {
      for (const { target, peers } of perTarget()) {
        peers.forEach((peer, index) => add({ target, peer: labelOf(peer, index) }, peer.picks));
      }
    },
  });
  peerGauge('holdfast_peer_in_flight', 'Calls that run on an instance now.', ({ inFlight }) => inFlight);
  peerGauge(
    'holdfast_peer_latency_seconds',
    'Average latency of an instance’s answers, as the balancer sees it.',
    (peer) => (peer.ewmaMs === null ? undefined : peer.ewmaMs / 1_000),
  );
  peerGauge(
    'holdfast_peer_success_ratio',
    'Decayed share of the attempts on an instance that succeeded, 0 to 1.',
    ({ successRate }) => successRate,
  );

  function peerGauge(name: string, help: string, valueOf: (peer: PeerState) => number | undefined): void {
    pulledGauge(registry, {
      name,
      help,
      labels: ['target', 'peer'],
      collect: (set) => {
        for (const { target, peers } of perTarget()) {
          // What the peers beyond the bound have is no sum: it is left out.
          for (const peer of peers.slice(0, MOST_PEERS)) {
            const value = valueOf(peer);
            if (value !== undefined) set({ target, peer: peer.address }, value);
          }
        }
      },
    });
  }
}

function labelOf({ address }: PeerState, index: number): string {
  return index < MOST_PEERS ? address : OTHER;
}

/** The states of all peers, looked at once for all metrics of a scrape. */
function targetsOf(targets: RpcTargets): () => readonly { target: string; peers: readonly PeerState[] }[] {
  let last: { target: string; peers: readonly PeerState[] }[] | undefined;
  return () => {
    if (!last) {
      last = targets.all.map((target) => ({ target: target.name, peers: target.states() }));
      // prom-client collects all metrics of a scrape in one go.
      queueMicrotask(() => (last = undefined));
    }
    return last;
  };
}
