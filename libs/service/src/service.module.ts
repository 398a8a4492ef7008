import { Global, Inject, Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_FILTER } from '@nestjs/core';
import { LiveConfigModule, type Config } from '@holdfast/config';
import { Discovery } from '@holdfast/discovery';
import { ProblemFilter } from '@holdfast/edge';
import { ResilienceModule, type Resilience } from '@holdfast/resilience';
import { RpcErrorFilter, RpcTargets } from '@holdfast/rpc';
import { Telemetry } from '@holdfast/telemetry';
import type { z } from 'zod';
import { SELF, type Self } from './self.js';
import type { SettingsSchema } from './settings.js';

const tokens = new WeakMap<SettingsSchema, symbol>();

/** The injection token of a settings schema's values, for `inject` of a factory. */
export function settingsToken(schema: SettingsSchema): symbol {
  let token = tokens.get(schema);
  if (!token) tokens.set(schema, (token = Symbol('settings')));
  return token;
}

/** Injects the values of a settings schema that was given to `runService`; their type is `z.infer<typeof schema>`. */
export const InjectSettings = (schema: SettingsSchema) => Inject(settingsToken(schema));

export interface ServiceModuleOptions {
  readonly app: Type | DynamicModule;
  /** What the edge's decorators in the app need. */
  readonly edge: DynamicModule;
  readonly self: Self;
  readonly config: Config;
  readonly discovery: Discovery;
  readonly targets: RpcTargets;
  readonly resilience: Resilience;
  readonly telemetry: Telemetry;
  readonly settings: ReadonlyMap<SettingsSchema, z.infer<SettingsSchema>>;
}

/** The root module of every app: what the libraries provide to all of its modules, and the app itself. */
@Global()
@Module({})
export class ServiceModule {
  static root(options: ServiceModuleOptions): DynamicModule {
    const shared: Provider[] = [
      { provide: SELF, useValue: options.self },
      { provide: Discovery, useValue: options.discovery },
      { provide: RpcTargets, useValue: options.targets },
      { provide: Telemetry, useValue: options.telemetry },
      ...[...options.settings].map(([schema, values]) => ({ provide: settingsToken(schema), useValue: values })),
    ];
    // Told of an error, callers over gRPC get a status with details, and those over HTTP problem+json.
    const errors = { provide: APP_FILTER, useFactory: () => new RpcErrorFilter(new ProblemFilter()) };
    // What Nest's own ConfigService reads: the environment, as far as it was checked in its checked form.
    const environment = ConfigModule.forRoot({
      isGlobal: true,
      ignoreEnvFile: true,
      load: [() => Object.assign({}, ...options.settings.values()) as Record<string, unknown>],
    });
    return {
      module: ServiceModule,
      imports: [
        environment,
        LiveConfigModule.of(options.config),
        ResilienceModule.of(options.resilience),
        options.edge,
        options.app,
      ],
      providers: [...shared, errors],
      exports: shared,
    };
  }
}
