import { Cell, type Live, type Unsubscribe } from '@holdfast/core';
import { addressOf, type Instance } from '@holdfast/discovery';
import { Peer } from './peer.js';
import type { Transport } from './transport.js';

/**
 * The peers of one target, keyed by address. New ones are connected at once, so that the first call finds a warm link;
 * those that left the view finish what runs on them and close. An update touches no peer that it does not name.
 */
export class PeerSet {
  readonly #transport: Transport;
  readonly #peers = new Map<string, { peer: Peer; unsubscribe: Unsubscribe }>();
  readonly #ready = new Cell<readonly Peer[]>([]);
  readonly #unsubscribe: Unsubscribe;

  constructor(instances: Live<readonly Instance[]>, transport: Transport) {
    this.#transport = transport;
    this.#unsubscribe = instances.subscribe((now) => this.#update(now));
    this.#update(instances.value);
  }

  /** Those with a live connection, in a stable order; a new array with every change. */
  get ready(): Live<readonly Peer[]> {
    return this.#ready;
  }

  get all(): readonly Peer[] {
    return [...this.#peers.values()].map(({ peer }) => peer);
  }

  /** True while some peer may become ready without another failure first: worth a short wait. */
  get hopeful(): boolean {
    return this.all.some(({ link }) => link.state.value === 'connecting' || link.state.value === 'idle');
  }

  /** Closes every link; calls that still run end with LinkFailure. */
  close(): void {
    this.#unsubscribe();
    for (const { peer, unsubscribe } of this.#peers.values()) {
      unsubscribe();
      peer.link.close();
    }
    this.#peers.clear();
    this.#ready.set([]);
  }

  #update(instances: readonly Instance[]): void {
    const addresses = new Set(instances.map(addressOf));
    for (const [address, { peer, unsubscribe }] of this.#peers) {
      if (addresses.has(address)) continue;
      unsubscribe();
      this.#peers.delete(address);
      void peer.link.drain();
    }
    for (const instance of instances) {
      const known = this.#peers.get(addressOf(instance));
      if (known) known.peer.instance = instance;
      else this.#add(instance);
    }
    this.#refreshReady();
  }

  #add(instance: Instance): void {
    const peer = new Peer(instance, this.#transport.connect(addressOf(instance)));
    const unsubscribe = peer.link.state.subscribe(() => this.#refreshReady());
    this.#peers.set(peer.address, { peer, unsubscribe });
    peer.link.connect();
  }

  #refreshReady(): void {
    this.#ready.set(this.all.filter(({ link }) => link.state.value === 'ready'));
  }
}
