import { Cell, Code, ServiceError, until } from '@holdfast/core';
import type { Health } from '../balancer/prober.js';
import type { RpcMethod } from '../method.js';
import { LinkFailure, type Link, type LinkState, type OutgoingCall, type Transport } from '../transport.js';

type Answer = (request: unknown, call: OutgoingCall) => unknown;

/** A link whose state and answers a spec decides. */
export class ScriptedLink implements Link {
  readonly state = new Cell<LinkState>('idle');
  readonly calls: OutgoingCall[] = [];
  /** What it says of its health to those who ask and who watch, who are not among the calls; undefined where it has no health service. */
  readonly health = new Cell<Health | undefined>('serving');
  checks = 0;
  /** How many watch its health now. */
  watches = 0;
  drained = false;

  constructor(
    readonly address: string,
    public answer: Answer,
    private readonly connectsAtOnce: () => boolean,
  ) {}

  connect(): void {
    this.state.set(this.connectsAtOnce() ? 'ready' : 'connecting');
  }

  async unary<Q, S>(method: RpcMethod<Q, S>, request: Q, call: OutgoingCall): Promise<S> {
    if (method.path?.startsWith('/grpc.health.')) return this.#check() as S;
    this.calls.push(call);
    return (await this.answer(request, call)) as S;
  }

  async *stream<Q, S>(
    method: RpcMethod<Q, S>,
    requests: AsyncIterable<Q> | Iterable<Q>,
    call: OutgoingCall,
  ): AsyncIterable<S> {
    if (method.path?.startsWith('/grpc.health.'))
      return yield* this.#healths(call.signal as AbortSignal) as AsyncIterable<S>;
    this.calls.push(call);
    for await (const request of requests) yield* (await this.answer(request, call)) as AsyncIterable<S>;
  }

  #check(): Health {
    this.checks++;
    return known(this.health.value);
  }

  async *#healths(signal: AbortSignal): AsyncIterable<Health> {
    this.watches++;
    try {
      for (;;) {
        const said = this.health.value;
        yield known(said);
        await until(this.health, (health) => health !== said, signal);
      }
    } finally {
      this.watches--;
    }
  }

  async drain(): Promise<void> {
    this.drained = true;
    this.state.set('closed');
  }

  close(): void {
    this.state.set('closed');
  }
}

function known(health: Health | undefined): Health {
  if (health === undefined) throw new ServiceError(Code.UNIMPLEMENTED, 'there is no health service');
  return health;
}

/** A transport of {@link ScriptedLink}s; by default they connect at once and answer with their own address. */
export class ScriptedTransport implements Transport {
  readonly name = 'scripted';
  readonly links: ScriptedLink[] = [];
  connectsAtOnce = true;

  connect(address: string): ScriptedLink {
    const link = new ScriptedLink(
      address,
      () => address,
      () => this.connectsAtOnce,
    );
    this.links.push(link);
    return link;
  }

  /** The newest link to the port. */
  to(port: number): ScriptedLink {
    const link = this.links.findLast(({ address }) => address.endsWith(`:${port}`));
    if (!link) throw new Error(`nobody connected to ${port}`);
    return link;
  }
}

/** An answer that is the loss of the link. */
export const lost =
  (processed: LinkFailure['processed']): Answer =>
  () => {
    throw new LinkFailure('connection reset', processed);
  };
