import { StartupError } from '@holdfast/core';
import type { Demand } from '@holdfast/config';
import type { configDemands } from '@holdfast/service';

type App = Parameters<typeof configDemands>[0];

/** The demo's apps by the name of their service; imported on use, since an app brings all it needs. */
const apps: Readonly<Record<string, () => Promise<{ readonly AppModule: App }>>> = {
  gateway: () => import('@holdfast/gateway/app'),
  'user-service': () => import('@holdfast/user-service/app'),
};

/** The names of all services. */
export const services: readonly string[] = Object.keys(apps);

/**
 * What a service asks the configuration store for, without starting it.
 * @throws StartupError (as a rejection) where there is no such service, with those there are
 */
export async function demandsOf(service: string): Promise<readonly Demand[]> {
  const load = Object.hasOwn(apps, service) ? apps[service] : undefined;
  if (!load) throw new StartupError(`There is no service "${service}"; there are ${services.join(', ')}.`);
  const [platform, { AppModule }] = await Promise.all([import('@holdfast/service'), load()]);
  return platform.configDemands(AppModule);
}
