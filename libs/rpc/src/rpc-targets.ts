import { Cell, systemClock, until, type Clock, type Journal, type Live, type Random } from '@holdfast/core';
import type { Discovery } from '@holdfast/discovery';
import { rpcClient, type RpcClient, type RpcClientOptions } from './client.js';
import type { ServiceDefinition } from './method.js';
import { defaultBalancer, type BalancerName } from './balancer/picker.js';
import type { ObserveRpcClient } from './rpc-observer.js';
import { Target } from './target.js';
import type { Transport } from './transport.js';

export interface RpcTargetsOptions {
  /** How the peers of a target are chosen. @default p2c_ewma */
  readonly balancerOf?: (target: string) => Live<BalancerName>;
  /** The zone that this process runs in: instances in it come first. @default none: zones do not matter */
  readonly zone?: string | undefined;
  /** How many instances of a target it connects to at most; of a larger fleet, each process uses a part. @default 100 */
  readonly maxPeersOf?: (target: string) => Live<number>;
  /** What carries calls to a target. @default the transport of the process */
  readonly transportOf?: (target: string) => Transport;
  /** Watches the calls. @default nobody does */
  readonly observe?: ObserveRpcClient;
  /** Where targets note what happens to their instances. @default nowhere */
  readonly journal?: Journal;
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
      const { balancerOf, maxPeersOf, transportOf, clock = systemClock, random = Math.random } = this.options;
      const balancer = balancerOf?.(name) ?? new Cell<BalancerName>(defaultBalancer);
      target = new Target(name, {
        view: this.discovery.watch(name),
        transport: transportOf?.(name) ?? this.transport,
        balancer,
        clock,
        random,
        zone: this.options.zone,
        maxPeers: maxPeersOf?.(name),
        observe: this.options.observe,
        journal: this.options.journal,
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
    await Promise.all(this.all.map((target) => until(target.connected, (count) => count > 0, signal)));
  }

  /** Closes every link. Call it when nothing calls any more. */
  close(): void {
    for (const target of this.#targets.values()) target.close();
    this.#targets.clear();
  }
}
