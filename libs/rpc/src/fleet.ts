import { Code, ServiceError, type Clock, type Journal, type Live, type Random, type Unsubscribe } from '@holdfast/core';
import type { ServiceView } from '@holdfast/discovery';
import type { Attempt } from './attempts.js';
import { Balancer } from './balancer/balancer.js';
import type { Outcome } from './balancer/outcome.js';
import type { BalancerName } from './balancer/picker.js';
import { Prober } from './balancer/prober.js';
import { Departed } from './departed.js';
import { peerHealthCheck } from './health-probe.js';
import type { Peer } from './peer.js';
import { PeerSet } from './peer-set.js';
import { peerStates, type PeerState } from './peer-state.js';
import { Subset } from './subset.js';
import type { Transport } from './transport.js';

export interface FleetDeps {
  readonly view: ServiceView;
  readonly transport: Transport;
  readonly balancer: Live<BalancerName>;
  readonly clock: Clock;
  readonly random: Random;
  /** The zone that this process runs in: instances in it come first. @default none */
  readonly zone?: string | undefined;
  /** How many instances it connects to at most; of a larger fleet, each process uses a part. `consistent_hash` needs all. @default 100 */
  readonly maxPeers?: Live<number> | undefined;
  /** Where it notes who comes, goes, is cut off, ejected and let back. @default nowhere */
  readonly journal?: Journal | undefined;
}

/** How many instances of a target a process connects to, where nothing else is said. */
export const defaultMaxPeers = 100;
const judgement = { ejected: 'was ejected', readmitted: 'takes calls again' } as const;

/** The instances of one service as this process sees them: who is there, who is next, and how each stands. */
export class Fleet {
  readonly name: string;
  readonly #deps: FleetDeps;
  readonly #balancer: Balancer<Peer>;
  readonly #prober: Prober<Peer>;
  readonly #peers: PeerSet;
  readonly #subset: Subset;
  readonly #subscriptions: readonly Unsubscribe[];

  constructor(name: string, deps: FleetDeps) {
    const { clock, random, balancer, view, transport, zone, journal } = deps;
    this.name = name;
    this.#deps = deps;
    this.#prober = new Prober(clock, peerHealthCheck(clock));
    this.#balancer = new Balancer<Peer>({
      picker: balancer.value,
      clock,
      random,
      zone,
      probes: this.#prober,
      onJudged:
        journal && ((peer, standing) => journal.note(standing, peer.instance.id, judgement[standing], peer.why)),
    });
    this.#peers = new PeerSet(transport, this.#balancer, new Departed(clock), journal);
    this.#subset = new Subset({ key: `${name} ${random()}`, zone });
    this.#subscriptions = [
      view.instances.subscribe(() => this.#update()),
      balancer.subscribe((chosen) => {
        this.#balancer.use(chosen);
        this.#update();
      }),
      ...(deps.maxPeers ? [deps.maxPeers.subscribe(() => this.#update())] : []),
    ];
    this.#update();
  }

  get view(): ServiceView {
    return this.#deps.view;
  }

  get peers(): readonly Peer[] {
    return this.#peers.all;
  }

  /** How many peers have a connection that takes calls. */
  get connected(): Live<number> {
    return this.#peers.connected;
  }

  /** True while a peer may come: the first view is awaited, or a connection is being made. */
  protected get hopeful(): boolean {
    return this.#peers.hopeful || this.#deps.view.origin === 'none';
  }

  /** More than half of the peers would be ejected, so that none is. */
  get panic(): boolean {
    return this.#balancer.panic;
  }

  /** How often a peer was ejected. */
  get ejections(): number {
    return this.#balancer.ejections;
  }

  /** How each peer stands, for operators. */
  states(): readonly PeerState[] {
    return peerStates(this.peers, this.#balancer, this.#deps.clock);
  }

  /** The peer for an attempt, which now counts as begun: every pick has its {@link done}. Undefined where there is none. */
  protected pick(attempt: Attempt): Peer | undefined {
    return this.#balancer.pick(attempt, attempt.startedAt);
  }

  /** An attempt ended at `now`. */
  protected done(peer: Peer, outcome: Outcome, attempt: Attempt, now: number): void {
    this.#balancer.done(peer, outcome, now - attempt.startedAt, attempt, now);
  }

  /**
   * Has the instance at `address` get no more calls from this process, or get some again; what runs on it ends as it does. It
   * lasts until the instance is another process, and is no ejection: nothing probes it.
   * @throws ServiceError NOT_FOUND without such an instance, FAILED_PRECONDITION for the last that takes calls
   */
  drain(address: string, drained = true): void {
    const peer = this.peers.find((one) => one.address === address);
    if (!peer) throw new ServiceError(Code.NOT_FOUND, `${this.name} has no instance at ${address}.`);
    if (drained && peer.connected && this.connected.value === 1) {
      throw new ServiceError(
        Code.FAILED_PRECONDITION,
        `${address} is the last instance of ${this.name} that takes calls; let another take calls first.`,
      );
    }
    this.#peers.drain(address, drained);
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#prober.close();
    this.#peers.close();
  }

  #update(): void {
    const { view, balancer, maxPeers } = this.#deps;
    // A key has one home in the whole fleet, not one in each process's part of it.
    const limit = balancer.value === 'consistent_hash' ? Infinity : (maxPeers?.value ?? defaultMaxPeers);
    this.#peers.update(this.#subset.of(view.instances.value, limit));
  }
}
