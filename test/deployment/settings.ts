import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@holdfast/core';
import { openConfigDrivers } from '@holdfast/config';
import { openRegistry } from '@holdfast/discovery';
import { serviceSettings, type SettingsSchema } from '@holdfast/service';
import { readSettings } from '../../libs/service/src/settings.js';

/** What apps have beside the settings that all have. */
const own = await ownSettings();

async function ownSettings(): Promise<Readonly<Record<string, SettingsSchema>>> {
  const folder = join(import.meta.dirname, '../../apps');
  const apps = readdirSync(folder).filter((app) => existsSync(join(folder, app, 'src/settings.ts')));
  const load = async (app: string) => {
    const { settings } = (await import(join(folder, app, 'src/settings.ts'))) as { settings: SettingsSchema };
    return [app, settings] as const;
  };
  return Object.fromEntries(await Promise.all(apps.map(load)));
}

/** The names that the app would not read at all. */
export function unknownSettings(app: string, names: readonly string[]): readonly string[] {
  const known = new Set([...Object.keys(serviceSettings.shape), ...Object.keys(own[app]?.shape ?? {})]);
  return names.filter((name) => !known.has(name));
}

/** The settings as the app reads them. @throws what would keep it from starting, as far as no other process is asked */
export async function readAll(app: string, env: Readonly<Record<string, string>>) {
  const settings = readSettings(serviceSettings, env);
  if (own[app]) readSettings(own[app], env);
  const deps = { clock: systemClock, random: Math.random };
  const registry = await openRegistry(settings.REGISTRY_URL, deps);
  await registry.close();
  for (const driver of await openConfigDrivers(settings.CONFIG_URL, deps)) await driver.close();
  return { ...settings, registry: registry.name };
}
