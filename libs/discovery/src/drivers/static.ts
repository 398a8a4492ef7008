import { sleep, systemClock, type Clock } from '@holdfast/core';
import type { Answer, Instance, RegistryDriver } from '../driver.js';
import { ReadOnlyDriver } from './read-only.js';
import { SERVICE_NAME, SERVICE_PLACE, type RegistryAddress, type RegistryDeps } from './registry-address.js';

/** The cursor of the only answer that there ever is. */
const UNCHANGED = 'static';
/** Stands for every service that has no addresses of its own. */
const ANY = '*';

export interface StaticOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 60_000 */
  readonly maxWaitMs?: number;
}

/** Addresses that somebody wrote down. */
export class StaticDriver extends ReadOnlyDriver {
  readonly propagationMs = 0;
  readonly maxWaitMs: number;
  readonly #services: ReadonlyMap<string, readonly Instance[]>;

  /** @param services by name; `*` stands for all others, and `{service}` in a host of theirs for the name */
  constructor(services: ReadonlyMap<string, readonly Instance[]>, options: StaticOptions = {}) {
    super('static addresses', options.clock ?? systemClock);
    this.maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#services = services;
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    return this.verbs.run({ signal, withinMs: this.maxWaitMs + 1_000 }, async (ended) => {
      if (after === UNCHANGED) await sleep(this.clock, this.maxWaitMs, ended);
      return { instances: this.#services.get(service) ?? this.#anyFor(service), cursor: UNCHANGED };
    });
  }

  #anyFor(service: string): readonly Instance[] {
    return (this.#services.get(ANY) ?? []).map((instance) => {
      const host = instance.host.replaceAll(SERVICE_PLACE, service);
      return { ...instance, id: idOf(service, host, instance.port), service, host };
    });
  }
}

/**
 * Opens `static:users=127.0.0.1:5001,127.0.0.1:5002;orders=[::1]:6001`. An address may have `http://` or `grpc://` before
 * it, which is the protocol; without, it is gRPC. `static:*={service}:50051` has one address for every service, with its name in
 * it: a virtual one, behind which a service mesh or a load balancer chooses.
 * @throws StartupError with the part that cannot be read
 */
export function openStatic(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  address.query();
  const services = new Map<string, readonly Instance[]>();
  for (const entry of address.body.split(';').filter((part) => part.trim() !== '')) {
    const [service = '', list] = split(entry.trim(), '=');
    if (service !== ANY && !SERVICE_NAME.test(service)) {
      throw address.wrong(`has a service named "${service}"; use lower-case letters, digits and dashes`);
    }
    if (list === undefined)
      throw address.wrong(`has no addresses for ${service}; write ${service}=host:port,host:port`);
    if (services.has(service)) throw address.wrong(`names ${service} twice; put all of its addresses into one list`);
    services.set(service, instancesOf(address, service, list));
  }
  if (services.size === 0) throw address.wrong('names no service; write static:users=127.0.0.1:5001,127.0.0.1:5002');
  return Promise.resolve(new StaticDriver(services, deps));
}

function instancesOf(address: RegistryAddress, service: string, list: string): Instance[] {
  const instances = new Map<string, Instance>();
  for (const item of list.split(',').map((part) => part.trim())) {
    const parts = /^(?:(grpc|http):\/\/)?(\[[0-9a-fA-F:.]+\]|(?:[a-zA-Z0-9._-]|\{service\})+):(\d{1,5})$/.exec(item);
    const [, protocol = 'grpc', host = '', digits] = parts ?? [];
    const port = Number(digits);
    if (!parts || port < 1 || port > 65_535) {
      throw address.wrong(`has the address "${item}" for ${service}; write host:port, such as 127.0.0.1:5001`);
    }
    if (host.includes(SERVICE_PLACE) !== (service === ANY)) {
      throw address.wrong(
        `must have ${SERVICE_PLACE} in the addresses of ${ANY}, and only there: ${ANY}=${SERVICE_PLACE}:50051`,
      );
    }
    const id = idOf(service, host, port);
    if (instances.has(id)) throw address.wrong(`has the address ${item} twice for ${service}; write it once`);
    const bare = host.replace(/^\[|\]$/g, '');
    instances.set(id, { id, service, host: bare, port, protocol: protocol as Instance['protocol'] });
  }
  return [...instances.values()];
}

function idOf(service: string, host: string, port: number): string {
  return `${service}@${host}:${port}`;
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
