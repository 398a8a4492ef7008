import { systemClock, type Clock } from '@holdfast/core';
import { Bell, VerbScope } from '@holdfast/core/driver';
import type { Changes, ConfigDriver, Reading } from '../driver.js';
import type { ConfigAddress, ConfigDriverDeps } from './config-address.js';

/** One count for all stores: a cursor of a store that is gone names nothing in one that has its name today. */
let revisions = 0;

/** A store inside this process: what everybody who opened the same name has in common. Specs break it off and compact it. */
export class MemoryStore {
  readonly bell = new Bell();
  readonly #services = new Map<string, Reading>();
  #failure: string | undefined;
  #compacted = 0;

  /** From now on every verb rejects, those that wait included. */
  breakOff(reason = 'it was broken off'): void {
    this.#failure = reason;
    this.bell.ring();
  }

  bringBack(): void {
    this.#failure = undefined;
  }

  /** Forgets what every cursor up to now stands for, as etcd does: a read with one rejects, those that wait included. */
  compact(): void {
    this.#compacted = ++revisions;
    this.bell.ring();
  }

  /** @throws while it is broken off, or where `after` is from before a compaction */
  read(service: string, after?: string): Reading {
    if (this.#failure !== undefined) throw new Error(`cannot be reached (${this.#failure})`);
    if (after !== undefined && Number(after) < this.#compacted) throw new Error('has compacted that revision');
    return this.#services.get(service) ?? { entries: new Map(), cursor: String(this.#compacted) };
  }

  /** @throws while it is broken off */
  write(service: string, changes: Changes, cursor: string): boolean {
    const { entries, cursor: current } = this.read(service);
    if (cursor !== current) return false;
    const next = new Map(entries);
    for (const [path, text] of changes) {
      if (text === undefined) next.delete(path);
      else next.set(path, text);
    }
    this.#services.set(service, { entries: next, cursor: String(++revisions) });
    this.bell.ring();
    return true;
  }
}

interface SharedStore {
  readonly store: MemoryStore;
  users: number;
}

/** By name; a store that nobody has open any more is gone, with what was in it. */
const shared = new Map<string, SharedStore>();

export interface MemoryOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 30_000 */
  readonly maxWaitMs?: number;
  /** Whether to pass for another machine's store, of which Config keeps a snapshot. @default false */
  readonly remote?: boolean;
}

/** The settings of one process, for specs and for a try without any store. */
export class MemoryDriver implements ConfigDriver {
  readonly name: string;
  readonly remote: boolean;
  readonly maxWaitMs: number;
  readonly store: MemoryStore;
  readonly #key: string;
  readonly #shared: SharedStore;
  readonly #clock: Clock;
  readonly #verbs: VerbScope;
  #open = true;

  constructor(name: string, options: MemoryOptions = {}) {
    this.name = name === '' ? 'memory' : `memory "${name}"`;
    this.remote = options.remote ?? false;
    this.maxWaitMs = options.maxWaitMs ?? 30_000;
    this.#key = name;
    this.#clock = options.clock ?? systemClock;
    this.#verbs = new VerbScope(this.name, this.#clock);
    this.#shared = shared.get(name) ?? { store: new MemoryStore(), users: 0 };
    this.#shared.users++;
    this.store = this.#shared.store;
    shared.set(name, this.#shared);
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Reading> {
    return this.#verbs.run({ signal, withinMs: this.maxWaitMs + 1_000 }, async (ended) => {
      const until = this.#clock.now() + this.maxWaitMs;
      for (;;) {
        const reading = this.#ask(() => this.store.read(service, after));
        const left = until - this.#clock.now();
        if (reading.cursor !== after || left <= 0) return reading;
        await this.store.bell.wait(this.store.bell.rings, this.#clock, left, ended);
      }
    });
  }

  write(service: string, changes: Changes, cursor: string, signal: AbortSignal): Promise<boolean> {
    return this.#verbs.run({ signal, withinMs: 1_000 }, () =>
      Promise.resolve(this.#ask(() => this.store.write(service, changes, cursor))),
    );
  }

  close(): Promise<void> {
    this.#verbs.close();
    if (!this.#open) return Promise.resolve();
    this.#open = false;
    if (--this.#shared.users === 0) shared.delete(this.#key);
    return Promise.resolve();
  }

  #ask<T>(question: () => T): T {
    try {
      return question();
    } catch (error) {
      throw new Error(`${this.name} ${(error as Error).message}.`, { cause: error });
    }
  }
}

/** Opens `memory:` or `memory:name`. @throws StartupError when the URL has parameters or its name is not a plain word */
export function openMemory(address: ConfigAddress, deps: ConfigDriverDeps): Promise<ConfigDriver> {
  address.query();
  if (!/^[\w.-]*$/.test(address.body)) {
    throw address.wrong('has a name that is not of letters, digits, dots, dashes and underscores; use memory:name');
  }
  return Promise.resolve(new MemoryDriver(address.body, deps));
}
