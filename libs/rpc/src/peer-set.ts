import { Cell, type Journal, type Live, type Unsubscribe } from '@holdfast/core';
import { addressOf, type Instance } from '@holdfast/discovery';
import type { Balancer } from './balancer/balancer.js';
import { Departed } from './departed.js';
import { watchHealth } from './health-probe.js';
import { Peer } from './peer.js';
import type { LinkState, Transport } from './transport.js';

interface Entry {
  readonly peer: Peer;
  readonly unsubscribe: Unsubscribe;
  /** Ends the stream of what it says of its health, while there is one. */
  unwatch: Unsubscribe | undefined;
  /** The last update that named it. */
  seenIn: number;
}

/**
 * The peers of one target, keyed by address. New ones are connected at once, so that the first call finds a warm link;
 * those that left the view finish what runs on them and close. An update touches no peer that it does not name. The
 * balancer is told who is there and whose connection takes calls.
 */
export class PeerSet {
  readonly #transport: Transport;
  readonly #balancer: Balancer<Peer>;
  readonly #departed: Departed;
  readonly #journal: Journal | undefined;
  readonly #peers = new Map<string, Entry>();
  /** The same by what the registry said last: an update of thousands finds what has not changed without a look at it. */
  readonly #byInstance = new Map<Instance, Entry>();
  #updates = 0;
  readonly #connected = new Cell(0);

  /** @param journal where it notes who comes, goes and is cut off. @default nowhere */
  constructor(transport: Transport, balancer: Balancer<Peer>, departed: Departed, journal?: Journal) {
    this.#transport = transport;
    this.#balancer = balancer;
    this.#departed = departed;
    this.#journal = journal;
  }

  /** How many have a connection that takes calls. */
  get connected(): Live<number> {
    return this.#connected;
  }

  get all(): readonly Peer[] {
    return Array.from(this.#peers.values(), ({ peer }) => peer);
  }

  /** True while some peer may become ready without another failure first: worth a short wait. */
  get hopeful(): boolean {
    return this.all.some(({ link }) => link.state.value === 'connecting' || link.state.value === 'idle');
  }

  /** These are the instances from now on. */
  update(instances: readonly Instance[]): void {
    const update = ++this.#updates;
    let seen = 0;
    for (const instance of instances) {
      const entry = this.#byInstance.get(instance) ?? this.#take(instance);
      if (entry.seenIn !== update) seen++;
      entry.seenIn = update;
    }
    if (seen === this.#peers.size) return;
    for (const [address, { seenIn }] of this.#peers) {
      if (seenIn === update) continue;
      const peer = this.#remove(address);
      this.#departed.remember(peer);
      this.#journal?.note('left', peer.instance.id, `left ${address}`);
      void peer.link.drain();
    }
  }

  /** Has the peer at `address` get no more calls, or get some again. */
  drain(address: string, drained: boolean): void {
    const entry = this.#peers.get(address);
    if (!entry) return;
    entry.peer.drained = drained;
    this.#follow(entry, entry.peer.link.state.value);
  }

  /** Closes every link; calls that still run end with LinkFailure. */
  close(): void {
    for (const address of this.#peers.keys()) this.#remove(address).link.close();
  }

  /** The entry of an instance that is new, or that the registry says something new of. */
  #take(instance: Instance): Entry {
    const known = this.#peers.get(addressOf(instance));
    const entry = known ?? this.#add(instance);
    if (known) this.#relist(known.peer, instance);
    this.#byInstance.set(instance, entry);
    return entry;
  }

  #add(instance: Instance): Entry {
    const peer = new Peer(instance, this.#transport.connect(addressOf(instance)));
    this.#departed.recall(peer);
    const unsubscribe = peer.link.state.subscribe((state) => {
      this.#noteLink(peer, state);
      this.#follow(entry, state);
    });
    const entry: Entry = { peer, unsubscribe, unwatch: undefined, seenIn: 0 };
    this.#peers.set(peer.address, entry);
    this.#balancer.join(peer);
    this.#journal?.note('joined', instance.id, `joined at ${peer.address}`);
    peer.link.connect();
    this.#follow(entry, peer.link.state.value);
    return entry;
  }

  #relist(peer: Peer, instance: Instance): void {
    const renewed = peer.instance.id !== instance.id;
    this.#byInstance.delete(peer.instance);
    peer.instance = instance;
    this.#balancer.relist(peer, instance);
    if (!renewed) return;
    this.#balancer.renew(peer);
    this.#journal?.note('joined', instance.id, `has taken over ${peer.address}`);
    this.drain(peer.address, false);
  }

  #remove(address: string): Peer {
    const entry = this.#peers.get(address)!;
    const { peer, unsubscribe } = entry;
    unsubscribe();
    this.#peers.delete(address);
    this.#byInstance.delete(peer.instance);
    this.#follow(entry, 'closed');
    this.#balancer.leave(peer);
    return peer;
  }

  /** The first connection is part of joining; one that was lost, and one that is back, is news. */
  #noteLink({ connected, drained, instance, lostAt }: Peer, state: LinkState): void {
    if (!this.#journal || state === 'closed' || drained) return;
    if (connected && state !== 'ready') this.#journal.note('lost', instance.id, 'lost its connection');
    else if (!connected && state === 'ready' && lostAt !== -Infinity) {
      this.#journal.note('connected', instance.id, 'is connected again');
    }
  }

  #follow(entry: Entry, state: LinkState): void {
    const { peer } = entry;
    const connected = state === 'ready' && !peer.drained;
    if (peer.connected === connected) return;
    entry.unwatch?.();
    this.#balancer.setConnected(peer, connected);
    this.#connected.set(this.#connected.value + (connected ? 1 : -1));
    entry.unwatch = connected ? watchHealth(peer.link, (health) => this.#balancer.heard(peer, health)) : undefined;
  }
}
