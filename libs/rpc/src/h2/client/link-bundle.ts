import { Cell } from '@holdfast/core';
import type { RpcMethod } from '../../method.js';
import type { Link, LinkState, OutgoingCall } from '../../transport.js';
import type { H2Link } from './h2-link.js';

/** What the bundle shows is the best of what its links do. */
const fromBest: readonly LinkState[] = ['ready', 'connecting', 'idle', 'failing', 'closed'];

/**
 * Several connections to one peer as one link. Each call goes over the one with the fewest calls under way, and over one
 * that is not ready only where none is.
 */
export class LinkBundle implements Link {
  readonly state: Cell<LinkState>;
  readonly #links: readonly H2Link[];

  /** @param links to the same address, at least one, not yet connecting */
  constructor(links: readonly H2Link[]) {
    this.#links = links;
    this.state = new Cell<LinkState>('idle');
    for (const link of links) link.state.subscribe(() => this.state.set(this.#best));
  }

  connect(): void {
    for (const link of this.#links) link.connect();
  }

  unary<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    call: OutgoingCall,
  ): Promise<Response> {
    return this.#pick().unary(method, request, call);
  }

  stream<Request, Response>(
    method: RpcMethod<Request, Response>,
    requests: AsyncIterable<Request> | Iterable<Request>,
    call: OutgoingCall,
  ): AsyncIterable<Response> {
    return this.#pick().stream(method, requests, call);
  }

  async drain(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.drain()));
  }

  close(): void {
    for (const link of this.#links) link.close();
  }

  get #best(): LinkState {
    return fromBest.find((state) => this.#links.some((link) => link.state.value === state))!;
  }

  #pick(): H2Link {
    // The first call wakes all of them, not only the one that carries it.
    if (this.state.value === 'idle') this.connect();
    const state = this.#best;
    let picked: H2Link | undefined;
    for (const link of this.#links) {
      if (link.state.value === state && (!picked || link.calls < picked.calls)) picked = link;
    }
    return picked!;
  }
}
