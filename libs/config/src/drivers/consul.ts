import { randomUUID } from 'node:crypto';
import { abortAfter, sleep, systemClock, type Clock, type Random } from '@holdfast/core';
import { VerbScope } from '@holdfast/core/driver';
import type { Changes, ConfigDriver, Reading } from '../driver.js';
import type { ConfigAddress, ConfigDriverDeps } from './config-address.js';
import { ConsulAgent, ConsulRefusal, ConsulUnreachable } from './consul-agent.js';
import { readConsulUrl, type ConsulSettings } from './consul-url.js';
import { guardKey, transactionOf } from './consul-write.js';
import { ServiceKeys, StoredKeys, type StoredKey } from './service-keys.js';

/** The longest that one agent may take: it answers within milliseconds, while its servers elect a leader within seconds. */
const CALL_MS = 5_000;
/** How much longer than asked Consul waits, to spread its readers: at most a sixteenth. */
const CONSUL_JITTER = 1 / 16;
/** The longest pause after a change that was somebody else's, so that those cannot make a reader spin, in milliseconds. */
const PAUSE_MS = 40;

export interface ConsulOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
  /** @default 15_000 */
  readonly maxWaitMs?: number;
}

/** A key in Consul's words. */
interface KeyInList {
  readonly Key: string;
  /** Base64; null for an empty text. */
  readonly Value: string | null;
  readonly ModifyIndex: number;
}

/** What a service's keys were at one index of one agent. */
interface Snapshot {
  readonly stored: StoredKeys;
  readonly cursor: string;
}

/**
 * Consul's KV store, through one agent at a time. One that gives no answer is left for the next host of the URL, one that
 * answers with an error of its own at the next call.
 *
 * A waiting read is one of Consul's blocking queries. There is no way to see that an agent is frozen but that its wait ends
 * late, so the wait is shorter than Consul's usual minutes.
 */
export class ConsulDriver implements ConfigDriver {
  readonly name: string;
  readonly remote = true;
  readonly maxWaitMs: number;
  readonly #settings: ConsulSettings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #agents: readonly ConsulAgent[];
  readonly #verbs: VerbScope;
  /** The longest that a verb may take beside waiting: every agent gets its time. */
  readonly #verbMs: number;
  #using = 0;

  constructor(settings: ConsulSettings, options: ConsulOptions = {}) {
    this.#settings = settings;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.maxWaitMs = options.maxWaitMs ?? 15_000;
    this.#agents = settings.hosts.map((host) => new ConsulAgent(host, settings));
    this.#verbMs = this.#agents.length * CALL_MS + 1_000;
    this.name = `consul at ${this.#agents.map((agent) => agent.address).join(', ')}`;
    this.#verbs = new VerbScope(this.name, this.#clock);
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Reading> {
    const keys = new ServiceKeys(this.#settings.prefix, service);
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + this.#verbMs;
    return this.#verbs.run({ signal, withinMs }, async (ended) => {
      const until = this.#clock.now() + this.maxWaitMs / (1 + CONSUL_JITTER);
      for (let last = after; ;) {
        const { stored, cursor } = await this.#snapshot(keys, ended, last, until);
        const changed = last === undefined || digestOf(last) !== stored.digest;
        if (changed || this.#clock.now() >= until) return { entries: stored.entries, cursor };
        last = cursor;
        // Consul wakes readers of a prefix for other keys too, and those of one that is empty for every key there is.
        await sleep(this.#clock, this.#random() * PAUSE_MS, ended);
      }
    });
  }

  write(service: string, changes: Changes, cursor: string, signal: AbortSignal): Promise<boolean> {
    const keys = new ServiceKeys(this.#settings.prefix, service);
    return this.#verbs.run({ signal, withinMs: this.#verbMs + CALL_MS }, async (ended) => {
      const { stored } = await this.#snapshot(keys, ended);
      if (stored.digest !== digestOf(cursor)) return false;
      const body = transactionOf(this.name, keys, stored, changes, randomUUID());
      const agent = this.#agent();
      const path = `/txn${this.#query({})}`;
      try {
        const answer = await this.#bounded(agent, CALL_MS, ended, (soon) =>
          agent.ask({ method: 'PUT', path, body }, soon),
        );
        return answer.status === 200 || refused(agent, answer.body);
      } catch (error) {
        this.#leave(agent, error, ended);
        if (ended.aborted || (error instanceof ConsulRefusal && error.status < 500)) throw error;
        throw new Error(`${(error as Error).message.replace(/\.$/, '')}; the change may have been written or not.`, {
          cause: error,
        });
      }
    });
  }

  close(): Promise<void> {
    this.#verbs.close();
    for (const agent of this.#agents) agent.close();
    return Promise.resolve();
  }

  /** What is there, at once; with the cursor of what was there last, and that still names where to wait, when it changes. */
  #snapshot(keys: ServiceKeys, ended: AbortSignal, last?: string, until = 0): Promise<Snapshot> {
    const waitMs = last === undefined ? 0 : Math.max(0, until - this.#clock.now());
    return this.#ask(waitMs + CALL_MS, ended, async (agent, soon) => {
      const position = `${agent.address}/${agent.epoch}`;
      const from = last?.startsWith(`${position}/`) ? Number(last.split('/')[2]) : 0;
      // An index that is none, or that the agent may reach much later or have by chance, would hide changes.
      const wait = from >= 1 && waitMs > 0 && { index: String(from), wait: `${Math.ceil(waitMs)}ms` };
      const path = `/kv/${encodeURIComponent(keys.document)}${this.#query({ recurse: '', ...wait })}`;
      const { body, index } = await agent.ask({ method: 'GET', path }, soon);
      const stored = new StoredKeys(keys, storedIn(agent, body), guardKey(keys));
      if (stored.entries.size === 0) await this.#mayRead(agent, keys, soon);
      return { stored, cursor: `${position}/${Number(index) || 0}/${stored.digest}` };
    });
  }

  /** Consul leaves out of a list what the token may not see, without a word; asked for one key it says so. */
  async #mayRead(agent: ConsulAgent, keys: ServiceKeys, signal: AbortSignal): Promise<void> {
    await agent.ask({ method: 'GET', path: `/kv/${encodeURIComponent(keys.document)}${this.#query({})}` }, signal);
  }

  #query(parameters: Readonly<Record<string, string>>): string {
    const query = new URLSearchParams({
      ...parameters,
      ...(this.#settings.dc !== undefined && { dc: this.#settings.dc }),
    });
    return query.size === 0 ? '' : `?${query}`;
  }

  /** Asks the agent in use; the others in turn, once each, while there is no answer from the one that was asked. */
  async #ask<T>(
    withinMs: number,
    ended: AbortSignal,
    question: (agent: ConsulAgent, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    for (let tried = 1; ; tried++) {
      const agent = this.#agent();
      try {
        return await this.#bounded(agent, withinMs, ended, (soon) => question(agent, soon));
      } catch (error) {
        this.#leave(agent, error, ended);
        if (!(error instanceof ConsulUnreachable) || ended.aborted || tried >= this.#agents.length) throw error;
      }
    }
  }

  async #bounded<T>(
    agent: ConsulAgent,
    withinMs: number,
    ended: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const silent = `consul at ${agent.address} gave no answer in time.`;
    using call = abortAfter(this.#clock, withinMs, silent, ended);
    try {
      return await work(call.signal);
    } catch (error) {
      throw call.signal.aborted && !ended.aborted ? new ConsulUnreachable(silent) : error;
    }
  }

  #agent(): ConsulAgent {
    const agent = this.#agents[this.#using];
    if (!agent) throw new Error(`${this.name} has no agent ${this.#using}.`);
    return agent;
  }

  /** Moves on from an agent that is at fault. Of several calls to it the first to fail does; the others then need not. */
  #leave(agent: ConsulAgent, error: unknown, ended: AbortSignal): void {
    const atFault = !ended.aborted && !(error instanceof ConsulRefusal && error.status < 500);
    if (atFault && this.#agent() === agent) this.#using = (this.#using + 1) % this.#agents.length;
  }
}

/** A cursor is `agent/epoch/index/digest`. */
const digestOf = (cursor: string): string => cursor.slice(cursor.lastIndexOf('/') + 1);

/** @throws ConsulRefusal when it is no list of keys */
function storedIn(agent: ConsulAgent, body: unknown = []): readonly StoredKey[] {
  const found = Array.isArray(body) ? (body as (Partial<KeyInList> | null)[]) : [null];
  return found.map((one) => {
    if (typeof one?.Key !== 'string') {
      throw new ConsulRefusal(`consul at ${agent.address} answered with what is no list of keys.`, 200);
    }
    const value = Buffer.from(one.Value ?? '', 'base64').toString();
    return { key: one.Key, value, version: Number(one.ModifyIndex) };
  });
}

/** False where a transaction was rolled back since something had changed. @throws ConsulRefusal where the token was to blame */
function refused(agent: ConsulAgent, body: unknown): false {
  const errors = (body as { readonly Errors?: readonly { readonly What?: string }[] } | undefined)?.Errors ?? [];
  if (!errors.some(({ What = '' }) => /denied/i.test(What))) return false;
  throw new ConsulRefusal(`consul at ${agent.address} answered 403: Permission denied.`, 403);
}

/**
 * Opens `consul://[token@]host:port[,host:port…]/prefix`, or `consul+tls://` for HTTPS. The document of a service is at
 * `prefix/service`, its single entries below that: see {@link ServiceKeys}. Parameters:
 *
 * - `token`: ACL token. Default: the one before the `@`, else {@link ConfigDriverDeps.consulToken}
 * - `dc`: the datacentre to ask. Default: the agent's
 * - `ca`: file with the authority's certificate, for `consul+tls:`. Default: those that Node trusts
 *
 * @throws StartupError when the URL cannot be used
 */
export function openConsul(address: ConfigAddress, deps: ConfigDriverDeps): Promise<ConfigDriver> {
  return Promise.resolve(new ConsulDriver(readConsulUrl(address, deps.consulToken), deps));
}
