import { sleep, systemClock, type Clock } from '@holdfast/core';
import { VerbScope } from '@holdfast/core/driver';
import type { Answer, Instance, RegistryDriver } from '../driver.js';
import { SERVICE_NAME, type RegistryAddress, type RegistryDeps } from './registry-address.js';

/** The cursor of the only answer that there ever is. */
const UNCHANGED = 'static';

export interface StaticOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 60_000 */
  readonly maxWaitMs?: number;
}

/** Addresses that somebody wrote down. Registering changes nothing, and says that all is well. */
export class StaticDriver implements RegistryDriver {
  readonly name = 'static addresses';
  readonly renewEveryMs = 60_000;
  readonly propagationMs = 0;
  readonly maxWaitMs: number;
  readonly #services: ReadonlyMap<string, readonly Instance[]>;
  readonly #clock: Clock;
  readonly #verbs: VerbScope;

  constructor(services: ReadonlyMap<string, readonly Instance[]>, options: StaticOptions = {}) {
    this.maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#services = services;
    this.#clock = options.clock ?? systemClock;
    this.#verbs = new VerbScope(this.name, this.#clock);
  }

  register(_instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#verbs.run({ signal, withinMs: 1_000 }, () => Promise.resolve());
  }

  renew(_instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#verbs.run({ signal, withinMs: 1_000 }, () => Promise.resolve(true));
  }

  deregister(_instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#verbs.run({ signal, withinMs: 1_000 }, () => Promise.resolve());
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    return this.#verbs.run({ signal, withinMs: this.maxWaitMs + 1_000 }, async (ended) => {
      if (after === UNCHANGED) await sleep(this.#clock, this.maxWaitMs, ended);
      return { instances: this.#services.get(service) ?? [], cursor: UNCHANGED };
    });
  }

  close(): Promise<void> {
    this.#verbs.close();
    return Promise.resolve();
  }
}

/**
 * Opens `static:users=127.0.0.1:5001,127.0.0.1:5002;orders=[::1]:6001`. An address may have `http://` or `grpc://` before
 * it, which is the protocol; without, it is gRPC.
 * @throws StartupError with the part that cannot be read
 */
export function openStatic(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  address.query();
  const services = new Map<string, readonly Instance[]>();
  for (const entry of address.body.split(';').filter((part) => part.trim() !== '')) {
    const [service = '', list] = split(entry.trim(), '=');
    if (!SERVICE_NAME.test(service)) {
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
    const parts = /^(?:(grpc|http):\/\/)?(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+):(\d{1,5})$/.exec(item);
    const [, protocol = 'grpc', host = '', digits] = parts ?? [];
    const port = Number(digits);
    if (!parts || port < 1 || port > 65_535) {
      throw address.wrong(`has the address "${item}" for ${service}; write host:port, such as 127.0.0.1:5001`);
    }
    const id = `${service}@${host}:${port}`;
    if (instances.has(id)) throw address.wrong(`has the address ${item} twice for ${service}; write it once`);
    const bare = host.replace(/^\[|\]$/g, '');
    instances.set(id, { id, service, host: bare, port, protocol: protocol as Instance['protocol'] });
  }
  return [...instances.values()];
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
