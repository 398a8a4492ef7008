import { Global, Inject, Injectable, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { systemClock } from '@holdfast/core';
import { Discovery, type DiscoveryOptions } from './discovery.js';
import { openRegistry } from './registry-url.js';

export interface DiscoveryModuleOptions extends DiscoveryOptions {
  /** `consul://127.0.0.1:8500`, `file:.holdfast/registry`, `static:users=10.0.0.1:5000` or `memory:`. */
  readonly url: string;
  /** Consul's ACL token, where the URL has none. @default none */
  readonly consulToken?: string;
}

@Injectable()
class DiscoveryCloser implements OnApplicationShutdown {
  constructor(@Inject(Discovery) private readonly discovery: Discovery) {}

  onApplicationShutdown(): Promise<void> {
    return this.discovery.close();
  }
}

/** {@link Discovery} for a Nest app that is not run by `runService`: injectable everywhere, closed with the app. */
@Global()
@Module({})
export class DiscoveryModule {
  /** @throws StartupError, when the app is created, where the URL is not usable */
  static forRoot({ url, consulToken, ...options }: DiscoveryModuleOptions): DynamicModule {
    const { clock = systemClock, random = Math.random } = options;
    const discovery = {
      provide: Discovery,
      useFactory: async () => new Discovery(await openRegistry(url, { clock, random, consulToken }), options),
    };
    return { module: DiscoveryModule, providers: [discovery, DiscoveryCloser], exports: [Discovery] };
  }
}
