import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { abortAfter, sleep, systemClock, until, type Clock, type Live, type Random } from '@holdfast/core';
import type { Discovery, Instance, Registration } from '@holdfast/discovery';
import { EdgeModule } from '@holdfast/edge';
import type { EdgeOptions } from '@holdfast/edge/server';
import { rpcServer, type RpcServer, type RpcTargets, type ServiceDefinition } from '@holdfast/rpc';
import { AdminModule } from './admin.module.js';
import { consoleOf } from './console-of.js';
import { edgeOf } from './http-edge.js';
import { closeHttp, listen, urlOf } from './http-server.js';
import { Lifecycle } from './lifecycle.js';
import type { LeastLevel } from './log-level.js';
import { openPlatform, type Platform } from './platform.js';
import { selfOf, type Self } from './self.js';
import { ServiceModule } from './service.module.js';
import { serviceSettings, type ServiceSettings } from './service-settings.js';
import { readSettings, type SettingsSchema } from './settings.js';

export interface ServiceOptions {
  /** The name under which others find the service: lower-case letters, digits and dashes. */
  readonly name: string;
  /** The gRPC services that the app's `@GrpcMethod` controllers serve. @default none: no gRPC server */
  readonly rpc?: readonly ServiceDefinition[];
  /** Whether the app's controllers serve HTTP on `PORT`, and how, where the defaults of the edge do not fit. @default false */
  readonly http?: boolean | EdgeOptions;
  /** The app's own settings, for `@InjectSettings()`. */
  readonly settings?: SettingsSchema;
  /** The process as a member of the mesh. @default made of the name and the settings */
  readonly self?: Self;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

export interface RunningService {
  readonly self: Self;
  readonly lifecycle: Lifecycle;
  /** Least severe kind of line that operators want to see now. */
  readonly logLevel: Live<LeastLevel>;
  /** `http://host:port`, where the app has an HTTP edge. */
  readonly http: string | undefined;
  /** `host:port`, where the app has a gRPC server. */
  readonly grpc: string | undefined;
  /** `http://host:port` of health and state. */
  readonly admin: string;
  /** Drains and closes, once; resolves when nothing of the service is left. */
  stop(): Promise<void>;
}

/** What reflection answers from. */
const DESCRIPTORS = '@holdfast/proto/descriptors.binpb';
/** How long a start waits for peers of what the service calls, in milliseconds. */
const WARM_MS = 3_000;
/** How long a start waits for the registry to take its entry, in milliseconds. */
const FIRST_ENTRY_MS = 1_000;

/**
 * Brings a service to life: configure → listen → connect to what it calls → register → serve.
 * @throws StartupError where configuration or machine do not allow it; what had been started by then is closed again
 */
export async function startService(app: Type | DynamicModule, options: ServiceOptions): Promise<RunningService> {
  const { env = process.env, clock = systemClock, random = Math.random } = options;
  const settings = readSettings(serviceSettings, env);
  const values = new Map<SettingsSchema, Record<string, unknown>>([[serviceSettings, settings]]);
  if (options.settings) values.set(options.settings, readSettings(options.settings, env));
  const self = options.self ?? selfOf(options.name, settings);
  const lifecycle = new Lifecycle();
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
    lifecycle.enter('stopped');
  };

  try {
    const platform = await openPlatform({ self, settings, lifecycle, clock, random }, closers);
    const { discovery, targets } = platform;
    const edge = options.http && (await edgeOf(app, options.http, platform));
    const sealed = edge ? edge.module : EdgeModule.identity(settings.IDENTITY_SECRET, clock);
    const root = ServiceModule.root({ ...platform, app, edge: sealed, settings: values });
    const adapter = edge ? edge.adapter : new FastifyAdapter();
    const nest = await NestFactory.create<NestFastifyApplication>(root, adapter, { abortOnError: false });
    closers.push(() => nest.close());
    if (edge) await edge.prepare(nest);
    const server = options.rpc && serverOf(options.rpc, platform);
    // One app for both protocols, so that closing and signals take one path and filters count for both.
    if (server) nest.connectMicroservice({ strategy: server }, { inheritAppConfig: true });
    await nest.init();
    await nest.startAllMicroservices();
    const httpPort = options.http
      ? await listen(nest, settings.HOST, settings.PORT, { host: 'HOST', port: 'PORT' })
      : undefined;

    const admin = await NestFactory.create<NestFastifyApplication>(
      AdminModule.for(platform, consoleOf(platform, app)),
      new FastifyAdapter(),
      { abortOnError: false },
    );
    closers.push(() => admin.close());
    await admin.init();
    const adminSetting = { host: 'ADMIN_HOST', port: 'ADMIN_PORT' };
    const adminPort = await listen(admin, settings.ADMIN_HOST, settings.ADMIN_PORT, adminSetting);

    await warm(targets, clock);
    server?.setServing(true);
    lifecycle.enter('ready');
    if (edge) edge.announce();
    const entry = entryOf(self, settings, { grpc: server?.port, http: httpPort, admin: adminPort });
    const registration = entry && (await enter(discovery, entry, clock));

    const drain = async () => {
      const end = clock.now() + settings.DRAIN_MS;
      lifecycle.enter('draining');
      server?.setServing(false);
      await registration?.release();
      // Callers go on coming until they have seen the entry gone; nothing they send until then may fail.
      await sleep(clock, Math.min(discovery.propagationMs, settings.DRAIN_MS / 2));
      const left = Math.max(0, end - clock.now());
      await Promise.all([server?.drain(left), options.http && closeHttp(nest, left, clock)]);
      await closeAll();
    };
    let stopping: Promise<void> | undefined;
    return {
      self,
      lifecycle,
      logLevel: platform.level,
      http: httpPort === undefined ? undefined : urlOf(self.host, httpPort),
      grpc: server && `${self.host}:${server.port}`,
      admin: urlOf(settings.ADMIN_HOST, adminPort),
      stop: () => (stopping ??= drain()),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function serverOf(
  services: readonly ServiceDefinition[],
  { settings, clock, telemetry, transports }: Platform,
): RpcServer {
  const { RPC_SERVER_KEEPALIVE_MS: everyMs, RPC_MAX_CONNECTION_AGE_MS: age } = settings;
  return rpcServer(transports.usual.name, {
    services,
    compression: transports.usual.compression,
    keepalive: { everyMs, timeoutMs: Math.ceil(everyMs / 2) },
    ...(age > 0 && { maxConnectionAgeMs: age }),
    host: settings.HOST,
    port: settings.GRPC_PORT,
    ...(settings.NODE_ENV !== 'production' && { reflection: fileURLToPath(import.meta.resolve(DESCRIPTORS)) }),
    clock,
    observe: telemetry.served,
  });
}

/** Connects to what the service calls before it is called itself; without them it starts all the same, to say so per call. */
async function warm(targets: RpcTargets, clock: Clock): Promise<void> {
  using bound = abortAfter(clock, WARM_MS, 'not all targets have instances');
  await targets.warm(bound.signal).catch(() => undefined);
}

function entryOf(
  self: Self,
  settings: ServiceSettings,
  ports: { grpc: number | undefined; http: number | undefined; admin: number },
): Instance | undefined {
  const port = ports.grpc ?? ports.http;
  if (port === undefined) return undefined;
  return {
    id: self.id,
    service: self.name,
    host: self.host,
    port,
    protocol: ports.grpc === undefined ? 'http' : 'grpc',
    adminPort: ports.admin,
    ...(settings.ZONE !== undefined && { zone: settings.ZONE }),
    ...(settings.WEIGHT !== 1 && { weight: settings.WEIGHT }),
    ...(settings.VERSION !== undefined && { version: settings.VERSION }),
  };
}

/** Registers, and waits until the registry has it, is known to be down, or takes too long: none of that stops the service. */
async function enter(discovery: Discovery, entry: Instance, clock: Clock): Promise<Registration> {
  const registration = discovery.register(entry);
  using bound = abortAfter(clock, FIRST_ENTRY_MS, 'the registry takes long');
  await Promise.race([
    until(registration.registered, (registered) => registered, bound.signal),
    until(discovery.contact, ({ status }) => status === 'down', bound.signal),
  ]).catch(() => undefined);
  return registration;
}
