import { StartupError } from '@holdfast/core';
import type { ConfigDriver } from './driver.js';
import { ConfigAddress, type ConfigDriverDeps } from './drivers/config-address.js';

export type { ConfigDriverDeps } from './drivers/config-address.js';

type Open = (address: ConfigAddress, deps: ConfigDriverDeps) => Promise<ConfigDriver>;

/** Imported on use: nobody pays for the client of a store that is not theirs. */
const drivers: Readonly<Record<string, Open>> = {
  file: async (...args) => (await import('./drivers/file.js')).openFile(...args),
  etcd: async (...args) => (await import('./drivers/etcd.js')).openEtcd(...args),
  etcds: async (...args) => (await import('./drivers/etcd.js')).openEtcd(...args),
  consul: async (...args) => (await import('./drivers/consul.js')).openConsul(...args),
  'consul+tls': async (...args) => (await import('./drivers/consul.js')).openConsul(...args),
  memory: async (...args) => (await import('./drivers/memory.js')).openMemory(...args),
};

/**
 * Opens the store that one part of a `CONFIG_URL` names; its scheme picks the driver:
 *
 * - `file:config/holdfast.yaml`: a YAML or JSON file whose top-level keys are the services' names
 * - `etcd://[user[:password]@]host:port[,host:port…]/prefix`, `etcds://…` with TLS: a cluster; see {@link openEtcd}
 * - `consul://[token@]host:port[,host:port…]/prefix`, `consul+tls://…`: Consul's KV store; see {@link openConsul}
 * - `memory:` or `memory:name`: shared by everything in this process that opens the same name
 *
 * It does not wait for a store that is down: that shows in the driver's verbs.
 * @throws StartupError (as a rejection) when the URL cannot be used, with what to write instead
 */
export async function openConfigDriver(url: string, deps: ConfigDriverDeps): Promise<ConfigDriver> {
  const address = new ConfigAddress(url);
  const open = Object.hasOwn(drivers, address.scheme) ? drivers[address.scheme] : undefined;
  if (!open) {
    const problem = address.scheme === '' ? 'has no scheme' : 'has an unknown scheme';
    throw address.wrong(`${problem}; use file:, etcd://, etcds://, consul://, consul+tls:// or memory:`);
  }
  return open(address, deps);
}

/**
 * Opens every store of a `CONFIG_URL`, which are separated by spaces; a later one wins over an earlier one.
 * @throws StartupError (as a rejection) when one cannot be used; those opened before it are closed again
 */
export async function openConfigDrivers(urls: string, deps: ConfigDriverDeps): Promise<readonly ConfigDriver[]> {
  const opened: ConfigDriver[] = [];
  try {
    for (const url of urls.split(/\s+/).filter((part) => part !== '')) {
      const driver = await openConfigDriver(url, deps);
      opened.push(driver);
      if (opened.some((other) => other !== driver && other.name === driver.name)) {
        throw new StartupError(`CONFIG_URL names ${driver.name} twice; name each store once.`);
      }
    }
    return opened;
  } catch (error) {
    await Promise.all(opened.map((driver) => driver.close()));
    throw error;
  }
}
