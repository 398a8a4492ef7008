import { Cell, Code, ServiceError } from '@holdfast/core';
import type { RpcMethod } from '../method.js';
import { LinkFailure, type Link, type LinkState, type OutgoingCall, type Transport } from '../transport.js';

type Answer = (request: unknown, call: OutgoingCall) => unknown;

/** A link whose state and answers a spec decides. */
export class ScriptedLink implements Link {
  readonly state = new Cell<LinkState>('idle');
  readonly calls: OutgoingCall[] = [];
  /** What it answers to health checks, which are not among the calls; undefined where it has no health service. */
  serving: boolean | undefined = true;
  checks = 0;
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
    if (method.path?.startsWith('/grpc.health.')) return this.#health() as S;
    this.calls.push(call);
    return (await this.answer(request, call)) as S;
  }

  async *stream<Q, S>(
    _method: RpcMethod<Q, S>,
    requests: AsyncIterable<Q> | Iterable<Q>,
    call: OutgoingCall,
  ): AsyncIterable<S> {
    this.calls.push(call);
    for await (const request of requests) yield* (await this.answer(request, call)) as AsyncIterable<S>;
  }

  #health(): boolean {
    this.checks++;
    if (this.serving === undefined) throw new ServiceError(Code.UNIMPLEMENTED, 'there is no health service');
    return this.serving;
  }

  async drain(): Promise<void> {
    this.drained = true;
    this.state.set('closed');
  }

  close(): void {
    this.state.set('closed');
  }
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
