import {
  Inject,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { Live } from '@holdfast/core';
import { Config } from './config.js';
import type { ConfigKey } from './config-key.js';

/** What a provider of a setting has besides what Nest wants: the key, so that schemas are found without starting the app. */
const CONFIG_KEY = Symbol('config key');

interface KeyProvider extends FactoryProvider<Live<unknown>> {
  readonly [CONFIG_KEY]: ConfigKey;
}

/** The key that a provider of `LiveConfigModule.forFeature` is for; undefined for any other provider. */
export function configKeyOf(provider: object): ConfigKey | undefined {
  return CONFIG_KEY in provider ? (provider as KeyProvider)[CONFIG_KEY] : undefined;
}

/** Injects the live value of a key that some module has in `LiveConfigModule.forFeature`; its type is `Live<z.infer<…>>`. */
export const InjectConfig = (key: ConfigKey) => Inject(key.token);

/** {@link Config} for all modules of an app, and the app's own keys for the modules that ask for them. */
@Module({})
export class LiveConfigModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(@Inject(Config) private readonly config: Config) {}

  /** The root module's part: `config`, for everybody. It is closed with the app. */
  static of(config: Config): DynamicModule {
    const provider = { provide: Config, useValue: config };
    return { module: LiveConfigModule, global: true, providers: [provider], exports: [Config] };
  }

  /** The keys that the importing module injects by `@InjectConfig`. One key may be imported by several modules. */
  static forFeature(...keys: ConfigKey[]): DynamicModule {
    const providers = keys.map((key): KeyProvider => ({
      provide: key.token,
      useFactory: (config: Config) => config.live(key.key, key.schema, key.code),
      inject: [Config],
      [CONFIG_KEY]: key,
    }));
    return { module: FeatureKeys, providers, exports: providers.map(({ provide }) => provide) };
  }

  /** All modules have made their claims by now. */
  onApplicationBootstrap(): void {
    this.config.settled();
  }

  onApplicationShutdown(): Promise<void> {
    return this.config.close();
  }
}

@Module({})
class FeatureKeys {}
