import type { Instance } from './driver.js';

/** `host:port`, an IPv6 host in brackets: what peers are keyed by, and what transports connect to. */
export function addressOf(instance: Instance): string {
  return instance.host.includes(':') ? `[${instance.host}]:${instance.port}` : `${instance.host}:${instance.port}`;
}

/**
 * The usable part of a registry's answer, in the order of ids: entries of another service, without a host or with an
 * impossible port are left out, and of several at one address the one that sorts last by id stays.
 */
export function normalise(service: string, answer: readonly Instance[]): readonly Instance[] {
  const byId = answer
    .filter((instance) => instance.service === service && isReachable(instance))
    .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return [...new Map(byId.map((instance) => [addressOf(instance), instance])).values()];
}

function isReachable({ id, host, port }: Instance): boolean {
  return id !== '' && host !== '' && Number.isInteger(port) && port > 0 && port <= 65_535;
}

/** Whether two normalised lists say the same of the same instances. */
export function sameInstances(a: readonly Instance[], b: readonly Instance[]): boolean {
  return a.length === b.length && a.every((instance, index) => sameInstance(instance, b[index]!));
}

function sameInstance(a: Instance, b: Instance): boolean {
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
