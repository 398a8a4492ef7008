import type { DynamicModule, Type } from '@nestjs/common';
import { configKeyOf, type Demand } from '@holdfast/config';
import { edgeDemands } from '@holdfast/edge';
import { resilienceSpec, specsOn } from '@holdfast/resilience';
import { balancerNames, defaultBalancer, defaultMaxPeers, targetOf, type BalancerName } from '@holdfast/rpc';
import { z } from 'zod';
import { logLevel } from './log-level.js';
import { partsOf } from './module-parts.js';

/** Where the configuration store has the platform's own settings. */
export const LOG_LEVEL_KEY = 'log.level';
export const resilienceKey = (name: string) => `resilience.${name}`;
export const balancerKey = (target: string) => `rpc.${target}.balancer`;
export const maxPeersKey = (target: string) => `rpc.${target}.maxPeers`;

export const balancer = z
  .enum(balancerNames as [BalancerName, ...BalancerName[]])
  .default(defaultBalancer)
  .describe('How an instance is chosen for a call. To change it opens no connection and closes none.');

export const maxPeers = z
  .int()
  .min(1)
  .max(10_000)
  .default(defaultMaxPeers)
  .describe(
    'How many instances a process connects to; of a larger fleet each process uses a part. `consistent_hash` needs all.',
  );

/**
 * Everything that an app with this root module asks the configuration store for, without starting it: its own keys, the names
 * that its classes have policies and limits under, the targets that it calls, and what every app has. A name that is used by
 * `Resilience.run` alone is in no metadata: declare it as a key of the app's own to have it known.
 * @throws StartupError where a `@Resilient` has wrong options
 */
export async function configDemands(app: Type | DynamicModule): Promise<readonly Demand[]> {
  const { providers, classes } = await partsOf(app);
  const own = providers.flatMap((provider) => configKeyOf(provider) ?? []);
  const targets = providers.flatMap((provider) => targetOf(provider) ?? []);
  const specs = classes.flatMap(({ prototype }) => (prototype ? specsOn(prototype as object) : []));
  const demands: Demand[] = [
    { key: LOG_LEVEL_KEY, schema: logLevel.default('log') },
    ...targets.flatMap((target) => [
      { key: balancerKey(target), schema: balancer },
      { key: maxPeersKey(target), schema: maxPeers },
    ]),
    ...edgeDemands(classes),
    ...specs.map(({ name, spec }) => ({ key: resilienceKey(name), schema: resilienceSpec, code: spec })),
    ...own,
  ];
  return [...new Map(demands.map((demand) => [demand.key, demand])).values()];
}
