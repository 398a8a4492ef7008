import {
  Global,
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { Resilience, type ResilienceConfig } from './resilience.js';
import { adopt, definitionsOn } from './resilient.js';

/** `Resilience` for all modules of an app, and what `@Resilient` methods find their policies by. */
@Global()
@Module({ imports: [DiscoveryModule] })
export class ResilienceModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(Resilience) private readonly resilience: Resilience,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
  ) {}

  static forRoot(config: ResilienceConfig = {}): DynamicModule {
    return ResilienceModule.of(new Resilience(config));
  }

  /** With a {@link Resilience} that is made already. */
  static of(resilience: Resilience): DynamicModule {
    const provider = { provide: Resilience, useValue: resilience };
    return { module: ResilienceModule, providers: [provider], exports: [Resilience] };
  }

  /** @throws StartupError where the options of any `@Resilient` method in the app are wrong */
  onModuleInit(): void {
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const made = wrapper.isDependencyTreeStatic() ? (wrapper.instance as object | null | undefined) : undefined;
      // What a request scope makes is not there yet, but its class is; a factory, on the other hand, is no class.
      const prototype = (made ? Object.getPrototypeOf(made) : wrapper.metatype?.prototype) as object | null | undefined;
      const definitions = definitionsOn(prototype ?? null);
      for (const definition of definitions) this.resilience.pipelineOf(definition);
      if (made && definitions.length > 0) adopt(made, this.resilience);
    }
  }

  onApplicationShutdown(): void {
    this.resilience.close();
  }
}
