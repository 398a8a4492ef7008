import { StartupError } from '@holdfast/core';
import type { Demand } from '@holdfast/config';
import type { configDemands } from '@holdfast/service';
import { appsOf, exportsPart } from '../apps.js';

interface AppPackage {
  readonly AppModule: Parameters<typeof configDemands>[0];
}

/** The names of all services that say what they ask for, which is those whose package lets others import its `./app`. */
export const services: readonly string[] = appsOf().filter((app) => exportsPart(app, 'app'));

/**
 * What a service asks the configuration store for, without starting it.
 * @throws StartupError (as a rejection) where there is no such service, with those there are
 */
export async function demandsOf(service: string): Promise<readonly Demand[]> {
  if (!services.includes(service)) {
    throw new StartupError(`There is no service "${service}"; there are ${services.join(', ')}.`);
  }
  const app = `@holdfast/${service}/app`;
  const [platform, { AppModule }] = await Promise.all([
    import('@holdfast/service'),
    import(app) as Promise<AppPackage>,
  ]);
  return platform.configDemands(AppModule);
}
