import { Cell, systemClock, until, type Clock, type Live, type Random } from '@holdfast/core';
import type { Discovery } from '@holdfast/discovery';
import { rpcClient, type RpcClient, type RpcClientOptions } from './client.js';
import type { ServiceDefinition } from './method.js';
import type { BalancerName } from './picker.js';
import { Target } from './target.js';
import type { Transport } from './transport.js';

export interface RpcTargetsOptions {
  /** How the peers of a target are chosen. @default round_robin */
  readonly balancerOf?: (target: string) => Live<BalancerName>;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

/** Every target that this process calls, one set of peers each, however many clients share it. */
export class RpcTargets {
  readonly #targets = new Map<string, Target>();

  constructor(
    private readonly discovery: Discovery,
    private readonly transport: Transport,
    private readonly options: RpcTargetsOptions = {},
  ) {}

  /** The typed client of `service`, spoken by the target's instances. */
  client<S extends ServiceDefinition>(service: S, options: RpcClientOptions): RpcClient<S> {
    return rpcClient(service, this.target(options.target), options);
  }

  target(name: string): Target {
    let target = this.#targets.get(name);
    if (!target) {
      const { balancerOf, clock = systemClock, random = Math.random } = this.options;
      const balancer = balancerOf?.(name) ?? new Cell<BalancerName>('round_robin');
      target = new Target(name, {
        view: this.discovery.watch(name),
        transport: this.transport,
        balancer,
        clock,
        random,
      });
      this.#targets.set(name, target);
    }
    return target;
  }

  get all(): readonly Target[] {
    return [...this.#targets.values()];
  }

  /** Resolves once every target has a peer that takes calls. @throws the signal's reason */
  async warm(signal: AbortSignal): Promise<void> {
    await Promise.all(this.all.map((target) => until(target.ready, (peers) => peers.length > 0, signal)));
  }

  /** Closes every link. Call it when nothing calls any more. */
  close(): void {
    for (const target of this.#targets.values()) target.close();
    this.#targets.clear();
  }
}
