import { join } from 'node:path';
import { Config, FileConfigSnapshots, openConfigDrivers } from '@holdfast/config';
import { Journal, type Clock, type Live, type Random } from '@holdfast/core';
import { Discovery, FileSnapshots, openRegistry } from '@holdfast/discovery';
import { Resilience, resilienceSpec } from '@holdfast/resilience';
import { healthProbe, RpcTargets, Transports } from '@holdfast/rpc';
import { Telemetry } from '@holdfast/telemetry';
import { balancer, balancerKey, LOG_LEVEL_KEY, maxPeers, maxPeersKey, resilienceKey } from './config-demands.js';
import { noteLife, type Lifecycle } from './lifecycle.js';
import { levelsFrom, logLevel, type LeastLevel } from './log-level.js';
import type { Self } from './self.js';
import type { ServiceSettings } from './service-settings.js';

/** How long a start waits for the configuration store, in milliseconds. */
const FIRST_CONFIG_MS = 3_000;

/** What is there before the platform. */
export interface Ground {
  readonly self: Self;
  readonly settings: ServiceSettings;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly random: Random;
}

/** What an app stands on: everything that knows its numbers, finds, reaches, protects and observes, made before the app is. */
export interface Platform extends Ground {
  readonly config: Config;
  /** Least severe kind of line that is logged now. */
  readonly level: Live<LeastLevel>;
  readonly journal: Journal;
  readonly telemetry: Telemetry;
  /** What carries calls, to a target and in. */
  readonly transports: Transports;
  readonly discovery: Discovery;
  readonly targets: RpcTargets;
  readonly resilience: Resilience;
}

/**
 * Makes the platform, and puts what ends its parts on `closers`, to be called from the last to the first.
 * @throws StartupError where a setting cannot be used
 */
export async function openPlatform(ground: Ground, closers: (() => Promise<void> | void)[]): Promise<Platform> {
  const { self, settings, lifecycle, clock, random } = ground;
  const journal = new Journal({ clock });
  noteLife(lifecycle, self.id, journal);

  const secrets = { consulToken: settings.CONSUL_HTTP_TOKEN, etcdPassword: settings.ETCD_PASSWORD };
  const stores = await openConfigDrivers(settings.CONFIG_URL, { clock, random, ...secrets });
  const remembered = new FileConfigSnapshots(join(settings.SNAPSHOT_DIR, 'config'));
  const config = new Config(self.name, stores, { clock, random, snapshots: remembered, journal });
  closers.push(() => config.close());
  await config.start({ withinMs: FIRST_CONFIG_MS });
  const level = config.live(LOG_LEVEL_KEY, logLevel, settings.LOG_LEVEL);

  const identity = { ...self, version: settings.VERSION };
  const telemetry = await Telemetry.open(identity, settings, (line) => levelsFrom(level.value).includes(line));
  closers.push(() => telemetry.close());

  const { RPC_TRANSPORT, RPC_COMPRESSION, RPC_CONNECTIONS, RPC_KEEPALIVE_MS } = settings;
  const choices = { transport: RPC_TRANSPORT, compression: RPC_COMPRESSION, connections: RPC_CONNECTIONS };
  const keepalive = { everyMs: RPC_KEEPALIVE_MS, timeoutMs: RPC_KEEPALIVE_MS };
  const transports = new Transports(choices, { clock, keepalive });
  const registry = await openRegistry(settings.REGISTRY_URL, {
    clock,
    random,
    consulToken: secrets.consulToken,
    tags: settings.REGISTRY_TAGS,
  });
  const discovery = new Discovery(registry, {
    clock,
    random,
    snapshots: new FileSnapshots(join(settings.SNAPSHOT_DIR, self.name)),
    probe: healthProbe(transports.to()),
    journal,
  });
  closers.push(() => discovery.close());
  const targets = new RpcTargets(discovery, transports.to(), {
    transportOf: (target) => transports.to(target),
    balancerOf: (target) => config.live(balancerKey(target), balancer),
    maxPeersOf: (target) => config.live(maxPeersKey(target), maxPeers),
    zone: self.zone,
    clock,
    random,
    observe: telemetry.called,
    journal,
  });
  closers.push(() => targets.close());

  const resilience = new Resilience({
    clock,
    random,
    specOf: (name, defaults) => config.live(resilienceKey(name), resilienceSpec, defaults),
    observe: telemetry.policies,
    journal,
  });
  telemetry.show({ config, discovery, targets, resilience, clock, ready: () => lifecycle.phase.value === 'ready' });
  return { ...ground, config, level, journal, telemetry, transports, discovery, targets, resilience };
}
