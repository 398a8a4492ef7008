import type { RegistryDriver } from './driver.js';
import { RegistryAddress, type RegistryDeps } from './drivers/registry-address.js';

export type { RegistryDeps } from './drivers/registry-address.js';

type Open = (address: RegistryAddress, deps: RegistryDeps) => Promise<RegistryDriver>;

/** Imported on use: nobody pays for the client of a registry that is not theirs. */
const drivers: Readonly<Record<string, Open>> = {
  file: async (...args) => (await import('./drivers/file.js')).openFile(...args),
  consul: async (...args) => (await import('./drivers/consul.js')).openConsul(...args),
  'consul+tls': async (...args) => (await import('./drivers/consul.js')).openConsul(...args),
  dns: async (...args) => (await import('./drivers/dns.js')).openDns(...args),
  k8s: async (...args) => (await import('./drivers/k8s.js')).openKubernetes(...args),
  static: async (...args) => (await import('./drivers/static.js')).openStatic(...args),
  memory: async (...args) => (await import('./drivers/memory.js')).openMemory(...args),
};

/**
 * Opens the registry that a `REGISTRY_URL` names; its scheme picks the driver:
 *
 * - `file:.holdfast/registry`: a folder that processes of one machine (or of one shared disk) register in
 * - `consul://[token@]host:port[,host:port…]`, `consul+tls://…`: Consul agents; see {@link openConsul} for parameters
 * - `k8s:` or `k8s://namespace`: the endpoints of Kubernetes' Services; see {@link openKubernetes}
 * - `dns://{service}.example.org:50051`: addresses, or without a port SRV records, of a name; see {@link openDns}
 * - `static:users=127.0.0.1:5001,127.0.0.1:5002;orders=127.0.0.1:6001`: addresses that never change
 * - `memory:` or `memory:name`: shared by everything in this process that opens the same name
 *
 * It does not wait for a registry that is down: that shows in the driver's verbs.
 * @throws StartupError (as a rejection) when the URL cannot be used, with what to write instead
 */
export async function openRegistry(url: string, deps: RegistryDeps): Promise<RegistryDriver> {
  const address = new RegistryAddress(url);
  const open = Object.hasOwn(drivers, address.scheme) ? drivers[address.scheme] : undefined;
  if (!open) {
    const problem = address.scheme === '' ? 'has no scheme' : 'has an unknown scheme';
    throw address.wrong(`${problem}; use file:, consul://, k8s:, dns://, static: or memory:`);
  }
  return open(address, deps);
}
