import type { Clock } from '@holdfast/core';
import type { Peer } from './peer.js';

/** How long a peer that left is remembered, in milliseconds. */
const REMEMBERED_MS = 60_000;

/** Peers that left the view a short while ago: an instance that the registry drops and lists again keeps what is held against it. */
export class Departed {
  readonly #clock: Pick<Clock, 'now'>;
  /** In the order in which they left. */
  readonly #peers = new Map<string, { readonly peer: Peer; readonly leftAt: number }>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  remember(peer: Peer): void {
    this.#forgetOld();
    if (peer.standing === 'in' && peer.ejections === 0 && !peer.drained) return;
    this.#peers.delete(peer.address);
    this.#peers.set(peer.address, { peer, leftAt: this.#clock.now() });
  }

  /** Tells `peer`, which has come, what it did before, where it is the same process. */
  recall(peer: Peer): void {
    this.#forgetOld();
    const known = this.#peers.get(peer.address);
    if (known?.peer.instance.id === peer.instance.id) {
      peer.inherit(known.peer);
      peer.drained = known.peer.drained;
    }
    this.#peers.delete(peer.address);
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [address, { leftAt }] of this.#peers) {
      if (now - leftAt < REMEMBERED_MS) return;
      this.#peers.delete(address);
    }
  }
}
