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

/** Remote services for Nest's DI. It needs a global provider of {@link RpcTargets}, which `@holdfast/service` brings. */
@Module({})
export class RpcModule {
  /** Provides `@InjectRpc(service)` to the module that imports it. */
  static client(service: ServiceDefinition, options: RpcClientOptions): DynamicModule {
    const provider = {
      provide: tokenOf(service),
      inject: [RpcTargets],
      useFactory: (targets: RpcTargets) => targets.client(service, options),
    };
    return { module: RpcModule, providers: [provider], exports: [provider.provide] };
  }
}
