import { systemClock, type Clock } from '@holdfast/core';
import { Bell, VerbScope } from '@holdfast/core/driver';
import type { Answer, Instance, RegistryDriver } from '../driver.js';
import type { RegistryAddress, RegistryDeps } from './registry-address.js';

/** A registry inside this process: what everybody who opened the same name has in common. */
class Bus {
  readonly bell = new Bell();
  readonly #instances = new Map<string, Instance>();
  #revision = 0;
  readonly #revisions = new Map<string, number>();

  has(instance: Instance): boolean {
    return this.#instances.get(instance.id)?.service === instance.service;
  }

  put(instance: Instance): void {
    // A new copy under the id of another service takes that one out: ids are unique among all services.
    this.remove(instance.id);
    this.#instances.set(instance.id, instance);
    this.#changed(instance.service);
  }

  remove(id: string): void {
    const known = this.#instances.get(id);
    if (!known) return;
    this.#instances.delete(id);
    this.#changed(known.service);
  }

  answer(service: string): Answer {
    const instances = [...this.#instances.values()].filter((instance) => instance.service === service);
    return { instances, cursor: String(this.#revisions.get(service) ?? 0) };
  }

  #changed(service: string): void {
    this.#revisions.set(service, ++this.#revision);
    this.bell.ring();
  }
}

interface SharedBus {
  readonly bus: Bus;
  users: number;
}

/** By name; a bus that nobody has open any more is gone, with what was in it. */
const shared = new Map<string, SharedBus>();

export interface MemoryOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 30_000 */
  readonly maxWaitMs?: number;
}

/** The registry of one process. An instance lives as long as the driver that registered it is open. */
export class MemoryDriver implements RegistryDriver {
  readonly name: string;
  readonly renewEveryMs = 1_000;
  readonly propagationMs = 1;
  readonly maxWaitMs: number;
  readonly #key: string;
  readonly #shared: SharedBus;
  readonly #clock: Clock;
  readonly #verbs: VerbScope;
  readonly #own = new Set<string>();
  #open = true;

  constructor(bus: string, options: MemoryOptions = {}) {
    this.name = bus === '' ? 'memory' : `memory "${bus}"`;
    this.maxWaitMs = options.maxWaitMs ?? 30_000;
    this.#key = bus;
    this.#clock = options.clock ?? systemClock;
    this.#verbs = new VerbScope(this.name, this.#clock);
    this.#shared = shared.get(bus) ?? { bus: new Bus(), users: 0 };
    this.#shared.users++;
    shared.set(bus, this.#shared);
  }

  register(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#run(signal, () => {
      this.#own.add(instance.id);
      this.#shared.bus.put(instance);
    });
  }

  renew(instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#run(signal, () => this.#shared.bus.has(instance));
  }

  deregister(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#run(signal, () => {
      this.#own.delete(instance.id);
      this.#shared.bus.remove(instance.id);
    });
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    const { bus } = this.#shared;
    return this.#verbs.run({ signal, withinMs: this.maxWaitMs + 1_000 }, async (ended) => {
      const until = this.#clock.now() + this.maxWaitMs;
      for (;;) {
        const answer = bus.answer(service);
        const left = until - this.#clock.now();
        if (answer.cursor !== after || left <= 0) return answer;
        await bus.bell.wait(bus.bell.rings, this.#clock, left, ended);
      }
    });
  }

  close(): Promise<void> {
    this.#verbs.close();
    if (!this.#open) return Promise.resolve();
    this.#open = false;
    for (const id of this.#own) this.#shared.bus.remove(id);
    if (--this.#shared.users === 0) shared.delete(this.#key);
    return Promise.resolve();
  }

  #run<T>(signal: AbortSignal, work: () => T): Promise<T> {
    return this.#verbs.run({ signal, withinMs: 1_000 }, () => Promise.resolve(work()));
  }
}

/** Opens `memory:` or `memory:name`. @throws StartupError when the URL has parameters or its name is not a plain word */
export function openMemory(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  address.query();
  if (!/^[\w.-]*$/.test(address.body)) {
    throw address.wrong('has a name that is not of letters, digits, dots, dashes and underscores; use memory:name');
  }
  return Promise.resolve(new MemoryDriver(address.body, deps));
}
