import { Resolver } from 'node:dns/promises';
import type { SrvRecord } from 'node:dns';
import { sleep, systemClock, type Clock } from '@holdfast/core';
import type { Answer, Instance, RegistryDriver } from '../driver.js';
import { readDnsUrl, type DnsSettings } from './dns-url.js';
import { ReadOnlyDriver } from './read-only.js';
import { SERVICE_PLACE, type RegistryAddress, type RegistryDeps } from './registry-address.js';

/** One question is asked twice, and has this long each time. In milliseconds. */
const QUERY_MS = 1_000;
const TRIES = 2;
/** A reading is questions for a name, and for the targets that it has, at most this many. */
const MOST_TARGETS = 1_000;
/** What a name server says where there is no such name, or nothing of the kind under it: an answer like any other. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA']);

export interface DnsOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 30_000 */
  readonly maxWaitMs?: number;
}

/**
 * Name servers as a registry: addresses of a name with a port that is the same for all, or SRV records, which have their own
 * ports. DNS cannot be watched, so the name is asked for again and again.
 */
export class DnsDriver extends ReadOnlyDriver {
  readonly propagationMs: number;
  readonly maxWaitMs: number;
  readonly #settings: DnsSettings;
  readonly #resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES });

  constructor(settings: DnsSettings, options: DnsOptions = {}) {
    super(`dns at ${settings.servers?.join(', ') ?? 'the system’s servers'}`, options.clock ?? systemClock);
    this.maxWaitMs = options.maxWaitMs ?? 30_000;
    this.propagationMs = settings.everyMs + settings.ttlMs;
    this.#settings = settings;
    if (settings.servers) this.#resolver.setServers(settings.servers);
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    const { everyMs } = this.#settings;
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + 4 * TRIES * QUERY_MS;
    return this.verbs.run({ signal, withinMs }, async (ended) => {
      const until = this.clock.now() + this.maxWaitMs;
      for (;;) {
        const instances = await this.#ask(service);
        const cursor = cursorOf(instances);
        const left = until - this.clock.now();
        if (cursor !== after || left <= 0) return { instances, cursor };
        await sleep(this.clock, Math.min(everyMs, left), ended);
      }
    });
  }

  override close(): Promise<void> {
    this.#resolver.cancel();
    return super.close();
  }

  async #ask(service: string): Promise<Instance[]> {
    const { port } = this.#settings;
    const name = this.#settings.name.replaceAll(SERVICE_PLACE, service);
    if (port === undefined) return this.#services(service, name);
    const hosts = await this.#addresses(name);
    return hosts.map((host) => instanceOf(service, host, port)).toSorted(byId);
  }

  /** What SRV records say: of the targets with the best priority, each with its share (RFC 2782). */
  async #services(service: string, name: string): Promise<Instance[]> {
    const records = await this.#query(name, 'SRV', () => this.#resolver.resolveSrv(name));
    const best = Math.min(...records.map(({ priority }) => priority));
    const used = records.filter(({ priority }) => priority === best).slice(0, MOST_TARGETS);
    const heaviest = Math.max(...used.map(({ weight }) => weight));
    const uneven = used.some(({ weight }) => weight !== heaviest);
    const found = await Promise.all(
      used.map(async (record: SrvRecord) => {
        const share = uneven ? { weight: Math.max(1, Math.round((100 * record.weight) / heaviest)) } : {};
        const hosts = await this.#addresses(record.name);
        return hosts.map((host) => ({ ...instanceOf(service, host, record.port), ...share }));
      }),
    );
    return [...new Map(found.flat().map((instance) => [instance.id, instance])).values()].toSorted(byId);
  }

  /** IPv4 addresses, or IPv6 where there are none of those: an instance that has both is still one. */
  async #addresses(name: string): Promise<string[]> {
    const hosts = await this.#query(name, 'A', () => this.#resolver.resolve4(name));
    return hosts.length > 0 ? hosts : this.#query(name, 'AAAA', () => this.#resolver.resolve6(name));
  }

  async #query<T>(name: string, kind: string, ask: () => Promise<T[]>): Promise<T[]> {
    try {
      return await ask();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'no reason given';
      if (NOTHING.has(code)) return [];
      throw new Error(`${this.name} gave no ${kind} records of ${name} (${code}).`, { cause: error });
    }
  }
}

function instanceOf(service: string, host: string, port: number): Instance {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return { id: `${service}@${bracketed}:${port}`, service, host, port, protocol: 'grpc' };
}

function byId(a: Instance, b: Instance): number {
  return a.id < b.id ? -1 : 1;
}

/** An answer names itself: whoever has seen the same instances has seen the same answer. */
function cursorOf(instances: readonly Instance[]): string {
  return instances.map(({ id, weight }) => `${id}*${weight ?? ''}`).join(' ');
}

/**
 * Opens `dns://{service}.holdfast.svc.cluster.local:50051`, in which `{service}` stands for the name of a service: its addresses,
 * with this port. Without a port, as in `dns://_grpc._tcp.{service}.holdfast.svc.cluster.local`, SRV records say where. Names are
 * full ones; the search list of the system is not used. Parameters:
 *
 * - `servers`: name servers, as addresses with or without ports, with commas between. Default: the system's
 * - `everyMs`: how often a name is asked for, in milliseconds, 100 to 60,000. Default: 1000
 * - `ttlMs`: how long name servers in between keep an answer, in milliseconds, up to 600,000: with `everyMs`, how long one who leaves
 *   waits until callers have seen it. Default: 5000, what Kubernetes has
 *
 * @throws StartupError when the URL cannot be used
 */
export function openDns(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  return Promise.resolve(new DnsDriver(readDnsUrl(address), deps));
}
