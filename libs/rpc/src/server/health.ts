import type * as grpc from '@grpc/grpc-js';
import { HealthImplementation, type ServingStatusMap } from 'grpc-health-check';

/** The standard service grpc.health.v1.Health, for the server as a whole ('') and each of its services. */
export class HealthService {
  readonly #names: readonly string[];
  readonly #health: HealthImplementation;
  readonly #watches = new Set<grpc.ServerWritableStream<unknown, unknown>>();

  constructor(services: readonly string[]) {
    this.#names = ['', ...services];
    const initial: ServingStatusMap = {};
    for (const name of this.#names) initial[name] = 'NOT_SERVING';
    this.#health = new HealthImplementation(initial);
  }

  addTo(server: grpc.Server): void {
    const keepWatches = (definition: grpc.ServiceDefinition, handlers: grpc.UntypedServiceImplementation) => {
      const watch = handlers['watch'] as grpc.handleServerStreamingCall<unknown, unknown>;
      server.addService(definition, {
        ...handlers,
        watch: (call: grpc.ServerWritableStream<unknown, unknown>) => {
          this.#watches.add(call);
          call.once('cancelled', () => this.#watches.delete(call));
          watch(call);
        },
      });
    };
    this.#health.addToServer({ addService: keepWatches } as unknown as grpc.Server);
  }

  setServing(serving: boolean): void {
    for (const name of this.#names) this.#health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /** Says good-bye to those who watch: left alone, a watch never ends and no drain would either. */
  end(): void {
    this.setServing(false);
    for (const watch of this.#watches) watch.end();
  }
}
