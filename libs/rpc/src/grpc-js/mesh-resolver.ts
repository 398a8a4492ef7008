import * as grpc from '@grpc/grpc-js';
import type { Live, Unsubscribe } from '@holdfast/core';
import type { Instance } from '@holdfast/discovery/driver';

/** Who knows the instances: Discovery, as far as the resolver needs it. */
export interface MeshSource {
  /** The instances of `service` to call now and later. */
  watch(service: string): Live<readonly Instance[]>;
}

/**
 * The channel option that carries the source. grpc-js hands options of this prefix to resolvers, but keeps them out of
 * its connections, so that they neither mix nor multiply.
 */
const sourceOption = `${grpc.experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.holdfast_mesh`;

let registered = false;

/**
 * Makes `mesh:user-service` an address for any grpc-js client of this process, Nest's ClientsModule included. It follows
 * the instances of the service; grpc-js's own balancers choose among them, as `grpc.service_config` says.
 * @returns the channel options that such a client must be given: they tell it which source to ask, as one process may
 * have several
 */
export function registerMeshResolver(source: MeshSource): grpc.ChannelOptions {
  if (!registered) grpc.experimental.registerResolver('mesh', MeshResolver);
  registered = true;
  return { [sourceOption]: source };
}

class MeshResolver implements grpc.experimental.Resolver {
  static getDefaultAuthority(target: grpc.experimental.GrpcUri): string {
    return target.path;
  }

  readonly #service: string;
  readonly #listener: grpc.experimental.ResolverListener;
  readonly #source: MeshSource | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(
    target: grpc.experimental.GrpcUri,
    listener: grpc.experimental.ResolverListener,
    options: grpc.ChannelOptions,
  ) {
    this.#service = target.path;
    this.#listener = listener;
    this.#source = options[sourceOption] as MeshSource | undefined;
  }

  updateResolution(): void {
    if (this.#unsubscribe) return;
    if (!this.#source) {
      const sentence = `mesh:${this.#service} needs the channel options that registerMeshResolver gives.`;
      return process.nextTick(() => this.#fail(sentence));
    }
    const instances = this.#source.watch(this.#service);
    let gone = false;
    const unsubscribe = instances.subscribe((value) => this.#report(value));
    this.#unsubscribe = () => {
      gone = true;
      unsubscribe();
    };
    // grpc-js does not expect to be told within this call.
    process.nextTick(() => {
      if (!gone) this.#report(instances.value);
    });
  }

  destroy(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  #report(instances: readonly Instance[]): void {
    const endpoints = instances
      .filter(({ protocol }) => protocol === 'grpc')
      .map(({ host, port }) => ({ addresses: [{ host, port }] }));
    this.#listener(grpc.experimental.statusOrFromValue(endpoints), {}, null, '');
    // The empty list makes balancers let go of the instances that they had. The error makes calls fail with a sentence:
    // after an empty list alone round_robin holds them until their deadlines.
    if (endpoints.length === 0) this.#fail(`No instance of ${this.#service} is available.`);
  }

  #fail(details: string): void {
    const error = { code: grpc.status.UNAVAILABLE, details };
    this.#listener(grpc.experimental.statusOrFromError(error), {}, null, '');
  }
}
