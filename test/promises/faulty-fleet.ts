import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, eventually, type Backend } from '@holdfast/testing';
import { peersOf, type PeerState, type Registry, type TargetState, targetOf } from './fleet.js';
import { seconds } from './load.js';

const main = (fixture: string) => join(import.meta.dirname, '../../libs/testing/dist', fixture, 'main.js');

export type Behaviour = 'as=well' | `as=slow&factor=${number}` | `as=failing&code=${string}` | 'as=hanging';

/** One call as the caller saw it. */
export interface CallOutcome {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly ms: number;
  readonly servedBy: string | null;
  readonly error: string | null;
}

/** What the caller's balancer looked like at one moment. */
export interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly target: TargetState;
}

/**
 * A caller that calls at a fixed rate, and backends that can be told to misbehave. Without a registry, the caller has the
 * backends' addresses written down, so that nobody helps it to find out which of them are bad.
 */
export class FaultyFleet implements AsyncDisposable {
  readonly backends: AppProcess[] = [];
  caller!: AppProcess;
  /** Looks at the balancer, in the order of time. */
  readonly samples: Sample[] = [];
  #watching = true;
  #watch: Promise<void> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly registry: { readonly url: string; readonly backend?: Backend } | undefined,
  ) {}

  /** Starts backends and caller, and waits until the caller may call each of them, at full share. */
  static async start(size: number, registry?: Registry): Promise<FaultyFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-faulty-'));
    const fleet = new FaultyFleet(folder, await registry?.open(folder));
    for (let n = 0; n < size; n++) await fleet.addBackend();
    const addresses = fleet.backends.map(({ ready }) => ready.grpc).join(',');
    const url = fleet.registry?.url ?? `static:backend=${addresses}`;
    fleet.caller = await AppProcess.start(main('caller'), { env: fleet.#env({ REGISTRY_URL: url }) });
    await eventually(async () => (await fleet.peers()).filter(({ state }) => isIn(state)).length === size);
    fleet.#watch = fleet.#look();
    return fleet;
  }

  async addBackend(): Promise<AppProcess> {
    const env = this.#env({ SERVICE_NAME: 'backend', REGISTRY_URL: this.registry?.url ?? 'memory:' });
    const backend = await AppProcess.start(main('faulty'), { env });
    this.backends.push(backend);
    return backend;
  }

  peers(): Promise<readonly PeerState[]> {
    return peersOf(this.caller, 'backend');
  }

  /** The backend changes from its next call on. Gives the moment, in milliseconds since the epoch. */
  async behave(backend: AppProcess, behaviour: Behaviour): Promise<number> {
    await (await fetch(`${backend.ready.http}/behave?${behaviour}`)).text();
    return Date.now();
  }

  /** From now on the caller calls so many times a second; each call is work of `workMs` milliseconds ± 50 %. */
  async load(rate: number, workMs = 20): Promise<void> {
    await (await fetch(`${this.caller.ready.http}/load?rate=${rate}&workMs=${workMs}`)).text();
  }

  /** Calls until every backend is past its slow start, which is none of what is tested: new instances get little at first. */
  async warmUp(rate: number, workMs?: number): Promise<void> {
    await this.load(rate, workMs);
    const warm = async () => (await this.peers()).every(({ state }) => state === 'ready');
    await eventually(warm, { withinMs: 90_000, everyMs: 250 });
    await seconds(3);
  }

  /** Ends the load and gives all calls, once each has its outcome. */
  async end(): Promise<readonly CallOutcome[]> {
    await this.load(0);
    const outcomes = await eventually(async () => {
      const response = await fetch(`${this.caller.ready.http}/outcomes`);
      const answer = (await response.json()) as {
        underWay: number;
        outcomes: [number, number, string | null, string | null][];
      };
      if (answer.underWay > 0) throw new Error(`${answer.underWay} calls are under way`);
      return answer.outcomes;
    });
    return outcomes.map(([startedAt, ms, servedBy, error]) => ({ startedAt, ms, servedBy, error }));
  }

  /** Attempts that each of the addresses was sent between two moments, as far as the looks at the balancer tell. */
  picksBetween(from: number, to: number): Picks {
    const after = this.samples.find(({ at }) => at >= from);
    const before = this.samples.findLast(({ at }) => at <= to);
    if (!after || !before || after.at >= before.at) throw new Error('there was no look at the balancer in this time');
    return new Picks(after, before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching = false;
    await this.#watch;
    await Promise.all([this.caller, ...this.backends].map((app) => app?.[Symbol.asyncDispose]()));
    await this.registry?.backend?.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #look(): Promise<void> {
    while (this.#watching) {
      const target = await targetOf(this.caller, 'backend').catch(() => undefined);
      if (target) this.samples.push({ at: Date.now(), target });
      await seconds(0.1);
    }
  }

  #env(more: Record<string, string>): Record<string, string> {
    return { CONFIG_URL: 'memory:', SNAPSHOT_DIR: join(this.folder, 'snapshots'), DRAIN_MS: '1000', ...more };
  }
}

/** How often each address was picked between two looks at the balancer. */
export class Picks {
  readonly seconds: number;
  readonly all: number;
  readonly #of = new Map<string, number>();

  constructor(from: Sample, to: Sample) {
    this.seconds = (to.at - from.at) / 1_000;
    const before = new Map(from.target.peers.map(({ address, picks }) => [address, picks]));
    for (const { address, picks } of to.target.peers) this.#of.set(address, picks - (before.get(address) ?? 0));
    this.all = [...this.#of.values()].reduce((sum, picks) => sum + picks, 0);
  }

  of(backend: AppProcess): number {
    return this.#of.get(backend.ready.grpc!) ?? 0;
  }

  /** The part of all picks, 0 to 1. */
  shareOf(backend: AppProcess): number {
    return this.of(backend) / this.all;
  }
}

/** Whether a peer in this state takes calls. */
export function isIn(state: string): boolean {
  return state === 'ready' || state === 'warming';
}

/** The latency below which `part` of the calls stay, in milliseconds. */
export function percentile(calls: readonly CallOutcome[], part: number): number {
  const sorted = calls.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}

export function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}
