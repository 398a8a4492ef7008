import type { Instance } from './driver.js';

/** `host:port`, an IPv6 host in brackets: what peers are keyed by, and what transports connect to. */
export function addressOf(instance: Instance): string {
  return instance.host.includes(':') ? `[${instance.host}]:${instance.port}` : `${instance.host}:${instance.port}`;
}

/** The order of ids, for `sort`; entries that share one are in the order of their addresses. */
export function byId(a: Instance, b: Instance): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  if (a.host !== b.host) return a.host < b.host ? -1 : 1;
  return a.port - b.port;
}

/** Whether an entry that a registry lists under `service` is one of its instances, and can be called at all. */
export function isUsable({ id, service, host, port }: Instance, wanted: string): boolean {
  return service === wanted && id !== '' && host !== '' && Number.isInteger(port) && port > 0 && port <= 65_535;
}

/** Whether two lists in the order of ids say the same of the same instances. */
export function sameInstances(a: readonly Instance[], b: readonly Instance[]): boolean {
  return a === b || (a.length === b.length && a.every((instance, index) => sameInstance(instance, b[index]!)));
}

/** Whether two entries say the same of the same instance. */
export function sameInstance(a: Instance, b: Instance): boolean {
  return (
    a === b ||
    (a.id === b.id &&
      a.host === b.host &&
      a.port === b.port &&
      a.protocol === b.protocol &&
      a.weight === b.weight &&
      a.version === b.version &&
      a.zone === b.zone &&
      a.adminPort === b.adminPort &&
      JSON.stringify(a.metadata ?? {}) === JSON.stringify(b.metadata ?? {}))
  );
}
