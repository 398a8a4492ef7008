import { Inject, Module, type DynamicModule } from '@nestjs/common';
import type { RpcClientOptions } from './client.js';
import type { ServiceDefinition } from './method.js';
import { RpcTargets } from './rpc-targets.js';

function tokenOf(service: ServiceDefinition): string {
  return `rpc:${service.fullName}`;
}

/** Injects the client of `service` that {@link RpcModule.client} provides; its type is `RpcClient<typeof service>`. */
export const InjectRpc = (service: ServiceDefinition): ParameterDecorator & PropertyDecorator =>
  Inject(tokenOf(service));

/** Where a client's provider says, besides what Nest wants, which target it calls: for what looks at an app without starting it. */
const TARGET = Symbol('rpc target');

/** The target that a provider of {@link RpcModule.client} calls; undefined for any other provider. */
export function targetOf(provider: object): string | undefined {
  return (provider as { [TARGET]?: string })[TARGET];
}

/** Remote services for Nest's DI. It needs a global provider of {@link RpcTargets}, which `@holdfast/service` brings. */
@Module({})
export class RpcModule {
  /** Provides `@InjectRpc(service)` to the module that imports it. */
  static client(service: ServiceDefinition, options: RpcClientOptions): DynamicModule {
    const provider = {
      provide: tokenOf(service),
      inject: [RpcTargets],
      useFactory: (targets: RpcTargets) => targets.client(service, options),
      [TARGET]: options.target,
    };
    return { module: RpcModule, providers: [provider], exports: [provider.provide] };
  }
}
