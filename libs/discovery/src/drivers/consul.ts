import { systemClock, type Clock } from '@holdfast/core';
import { NoAnswer, VerbScope } from '@holdfast/core/driver';
import type { Answer, Instance, RegistryDriver } from '../driver.js';
import { ConsulAgent, ConsulRefusal, ConsulUnreachable } from './consul-agent.js';
import { ConsulAnswers } from './consul-answers.js';
import { readConsulUrl, type ConsulSettings } from './consul-url.js';
import { checkId, checkKind, toRegistration } from './consul-wire.js';
import type { RegistryAddress, RegistryDeps } from './registry-address.js';

/** A healthy agent answers within milliseconds, while its servers elect a leader within seconds. */
const CALL_MS = 5_000;
/** How much longer than asked Consul waits, to spread its readers: at most a sixteenth. */
const CONSUL_JITTER = 1 / 16;

export interface ConsulOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 60_000 */
  readonly maxWaitMs?: number;
  /** Tags of the instances that are registered here. @default none */
  readonly tags?: readonly string[];
}

/**
 * Consul, through one agent at a time. An agent that cannot be reached is left for the next host of the URL; one that
 * answers with an error of its own is left at the next call.
 *
 * Reads and registrations choose their agents apart: a registration belongs to the agent that took it, so it moves only
 * when that agent is lost (then `renew` says that the next one does not know it), while a read may go to any.
 */
export class ConsulDriver implements RegistryDriver {
  readonly name: string;
  readonly renewEveryMs = 2_000;
  readonly propagationMs = 500;
  readonly maxWaitMs: number;
  readonly #settings: ConsulSettings;
  readonly #tags: readonly string[];
  readonly #agents: readonly ConsulAgent[];
  readonly #answers: ConsulAnswers;
  readonly #verbs: VerbScope;
  /** The agents in use, as positions in the URL's list. */
  readonly #using = { read: 0, write: 0 };
  /** By instance: every agent that it was registered with. One that was lost with it may come back and still know it. */
  readonly #homes = new Map<string, Set<ConsulAgent>>();

  constructor(settings: ConsulSettings, options: ConsulOptions = {}) {
    this.#settings = settings;
    this.#tags = options.tags ?? [];
    this.maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#agents = settings.hosts.map((host) => new ConsulAgent(host, settings));
    this.name = `consul at ${this.#agents.map((agent) => agent.address).join(', ')}`;
    this.#answers = new ConsulAnswers(this.name);
    this.#verbs = new VerbScope(this.name, options.clock ?? systemClock);
  }

  register(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#verbs.run({ signal, withinMs: CALL_MS }, async (ended) => {
      const kind = checkKind(instance, this.#settings.check);
      const body = toRegistration(instance, this.#nameOf(instance.service), kind, this.#tags);
      // A check of an earlier start under this id, of another kind perhaps, must not decide about this one.
      const path = '/agent/service/register?replace-existing-checks=true';
      await this.#call('write', ended, async (agent) => {
        const homes = this.#homes.get(instance.id) ?? new Set();
        this.#homes.set(instance.id, homes.add(agent));
        await agent.put(path, {}, body, ended);
      });
    });
  }

  renew(instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#verbs.run({ signal, withinMs: CALL_MS }, (ended) =>
      this.#call('write', ended, (agent) => this.#renewAt(agent, instance, ended)),
    );
  }

  deregister(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#verbs.run({ signal, withinMs: CALL_MS }, async (ended) => {
      const takeOut = (agent: ConsulAgent) => this.#deregisterAt(agent, instance, ended);
      const others = [...(this.#homes.get(instance.id) ?? [])].filter((agent) => agent !== this.#agent('write'));
      // Agents that were lost before are told as far as they are back; their checks find out otherwise.
      const told = Promise.allSettled(others.map(takeOut));
      await this.#call('write', ended, takeOut);
      await told;
      this.#homes.delete(instance.id);
    });
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + CALL_MS;
    return this.#verbs.run({ signal, withinMs }, (ended) =>
      this.#call('read', ended, async (agent) => {
        const query: Record<string, string> = { passing: '1' };
        if (this.#settings.dc !== undefined) query['dc'] = this.#settings.dc;
        const index = after === undefined ? undefined : indexOf(after, this.#position(agent));
        if (index !== undefined) {
          query['index'] = index;
          query['wait'] = `${Math.floor(this.maxWaitMs / (1 + CONSUL_JITTER))}ms`;
        }
        const name = this.#nameOf(service);
        const answer = await agent.get('/health/service/{name}', { name }, query, ended);
        const cursor = `${this.#position(agent)}/${answer.index ?? 0}`;
        return { instances: await this.#answers.instances(service, answer.body), cursor };
      }),
    );
  }

  close(): Promise<void> {
    this.#verbs.close();
    this.#answers.close();
    for (const agent of this.#agents) agent.close();
    return Promise.resolve();
  }

  async #renewAt(agent: ConsulAgent, instance: Instance, signal: AbortSignal): Promise<boolean> {
    const id = instance.id;
    if (checkKind(instance, this.#settings.check) === 'ttl') {
      try {
        await agent.put('/agent/check/pass/{check}', { check: checkId(instance) }, undefined, signal);
        return true;
      } catch (error) {
        if (!(error instanceof ConsulRefusal) || error.status === 403) throw error;
        // Consul has one status for an unknown check and for trouble of its own; the next call tells them apart.
        await this.#knows(agent, id, signal);
        return false;
      }
    }
    return this.#knows(agent, id, signal);
  }

  async #knows(agent: ConsulAgent, id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await agent.get('/agent/service/{id}', { id }, {}, signal);
      return true;
    } catch (error) {
      if (error instanceof ConsulRefusal && error.status === 404) return false;
      throw error;
    }
  }

  async #deregisterAt(agent: ConsulAgent, instance: Instance, signal: AbortSignal): Promise<void> {
    try {
      await agent.put('/agent/service/deregister/{id}', { id: instance.id }, undefined, signal);
    } catch (error) {
      // Some versions answer an unknown id with an error, which is no better than any other here.
      if (!(error instanceof ConsulRefusal) || (await this.#knows(agent, instance.id, signal))) throw error;
    }
  }

  /** Asks the agent in use; the others in turn, once each, while there is none behind the address that was asked. */
  async #call<T>(use: 'read' | 'write', ended: AbortSignal, ask: (agent: ConsulAgent) => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      const position = this.#using[use];
      try {
        return await ask(this.#agent(use));
      } catch (error) {
        const unreachable = error instanceof ConsulUnreachable;
        const inTrouble = unreachable || (error instanceof ConsulRefusal && error.status >= 500);
        // A caller that gives up says nothing about the agent; one that was silent for the whole time does.
        const atFault = ended.aborted ? ended.reason instanceof NoAnswer : inTrouble;
        // Of several calls to the same agent the first to fail moves on; the others then need not.
        if (atFault && this.#using[use] === position) this.#using[use] = (position + 1) % this.#agents.length;
        if (!unreachable || ended.aborted || tried >= this.#agents.length) throw error;
      }
    }
  }

  #agent(use: 'read' | 'write'): ConsulAgent {
    const agent = this.#agents[this.#using[use]];
    if (!agent) throw new Error(`${this.name} has no agent ${this.#using[use]}.`);
    return agent;
  }

  /** Names the agent's process, as far as it can be told apart from the one before. */
  #position(agent: ConsulAgent): string {
    return `${agent.address}/${agent.epoch}`;
  }

  #nameOf(service: string): string {
    return this.#settings.prefix + service;
  }
}

/**
 * The index to wait from, or undefined where none can be trusted: it came from another agent, or from one that may have
 * been restarted since and counts from the beginning. Waiting for an index that such an agent reaches much later, or
 * happens to have already, would show an old list for as long. Consul's own rule is that indexes are 1 or more.
 */
function indexOf(cursor: string, position: string): string | undefined {
  const index = cursor.slice(position.length + 1);
  return cursor.startsWith(`${position}/`) && Number(index) >= 1 ? index : undefined;
}

/**
 * Opens `consul://[token@]host:port[,host:port…]`, or `consul+tls://` for HTTPS. Parameters:
 *
 * - `token`: ACL token. Default: the one before the `@`, else {@link RegistryDeps.consulToken}
 * - `dc`: the datacentre to read from. Default: the agent's
 * - `prefix`: put before the name of every service. Default: nothing
 * - `check`: how Consul finds out that an instance died. `grpc` asks its health service and `http` its
 *   `/readyz` on the admin port, each every second, which the agent must be able to reach; `ttl` needs no way from the agent
 *   to the instance, and takes 6 s without a heartbeat for death. Default: what the instance's protocol has
 * - `ca`: file with the authority's certificate, for `consul+tls:`. Default: the system's
 *
 * @throws StartupError when the URL cannot be used
 */
export function openConsul(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  return Promise.resolve(new ConsulDriver(readConsulUrl(address, deps.consulToken), deps));
}
