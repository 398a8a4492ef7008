import { seededRandom, type Random } from '@holdfast/core';
import type { Chooser, Contender, Ended } from './contender.js';
import type { Scenario } from './scenario.js';
import { Server } from './server.js';
import { VirtualTime } from './virtual-time.js';

const CLIENTS = 4;
/** Calls that a server works on at a time, and what each takes on average, in milliseconds. */
const SERVER_LIMIT = 4;
const SERVICE_MS = 20;
/** Spread of what calls take: standard deviation of the logarithm. A tenth of the calls takes more than twice the median. */
const SPREAD = 0.6;
const WITHIN_ZONE_MS = 0.25;
const BETWEEN_ZONES_MS = 8;
/** How long a call may take, in milliseconds; a failed one counts as having taken it. */
export const PATIENCE_MS = 1_000;
/** Calls of all clients together, per millisecond, at most: a fleet of thousands is simulated with less load. */
const MOST_PER_MS = 4;
/** What comes before is not counted, in seconds. */
const WARM_UP_S = 2;
const BEHAVIOUR_EVERY_MS = 100;

/** One second of a run. */
export interface Second {
  calls: number;
  oddCalls: number;
  failed: number;
  p99Ms: number;
}

export interface Result {
  readonly contender: string;
  readonly calls: number;
  readonly p50Ms: number;
  /** Of all calls, a failed one counted as {@link PATIENCE_MS}. */
  readonly p99Ms: number;
  /** Share of the calls that failed, 0 to 1. */
  readonly failures: number;
  /** Share of the calls that the odd servers got from 1 s after the trouble began until its end, as a multiple of their fair one; undefined where none is odd. */
  readonly oddShare: number | undefined;
  readonly seconds: readonly Second[];
}

/**
 * Runs `scenario` with every client balancing as `contender`. Calls arrive whether or not earlier ones are answered (a
 * Poisson process), and are not repeated. Arrivals and what each call takes depend on the seed alone, so that all
 * contenders see the same traffic.
 */
export function simulate(scenario: Scenario, contender: Contender, seed: number): Result {
  return new Simulation(scenario, contender, seed).run();
}

interface Client {
  readonly chooser: Chooser;
  readonly zone: string | undefined;
}

class Simulation {
  readonly #time = new VirtualTime();
  readonly #traffic: Random;
  readonly #servers: Server[];
  readonly #clients: Client[];
  readonly #durations: number[][];
  readonly #seconds: Second[];
  #failed = 0;
  #calls = 0;
  #oddCalls = 0;
  #troubledCalls = 0;

  constructor(
    readonly scenario: Scenario,
    readonly contender: Contender,
    seed: number,
  ) {
    const { instances, zones = 1, seconds } = scenario;
    this.#traffic = seededRandom(seed);
    const zoneOf = (index: number, count: number) =>
      zones === 1 ? undefined : `zone-${Math.floor((index * zones) / count)}`;
    this.#servers = Array.from(
      { length: instances },
      (_, index) => new Server(index, zoneOf(index, instances), SERVER_LIMIT, this.#time),
    );
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => {
      const zone = zoneOf(index, CLIENTS);
      const random = seededRandom(seed * 1_000 + index + 1);
      return { zone, chooser: contender.make({ clock: this.#time, random, zone, patienceMs: PATIENCE_MS }) };
    });
    this.#durations = Array.from({ length: seconds }, () => []);
    this.#seconds = this.#durations.map(() => ({ calls: 0, oddCalls: 0, failed: 0, p99Ms: 0 }));
  }

  run(): Result {
    const { scenario } = this;
    for (const server of this.#servers) {
      if (scenario.joins && this.#odd(server)) this.#time.after(scenario.trouble[0] * 1_000, () => this.#join(server));
      else this.#join(server);
    }
    this.#behave();
    const perMs = (scenario.load * scenario.instances * SERVER_LIMIT) / SERVICE_MS;
    this.#arrive(Math.min(perMs, MOST_PER_MS), scenario.seconds * 1_000);
    this.#time.runUntil(scenario.seconds * 1_000 + PATIENCE_MS);
    return this.#result();
  }

  #join(server: Server): void {
    for (const { chooser } of this.#clients) chooser.add(server);
  }

  #odd(server: Server): boolean {
    return this.scenario.odd?.(server.index, this.scenario.instances) ?? false;
  }

  #behave(): void {
    const { scenario } = this;
    const second = this.#time.now() / 1_000;
    for (const server of this.#servers) {
      server.behaviour = (this.#odd(server) ? scenario.oddly : scenario.all)?.(second) ?? {};
    }
    if (second < scenario.seconds) this.#time.after(BEHAVIOUR_EVERY_MS, () => this.#behave());
  }

  #arrive(ratePerMs: number, end: number): void {
    const pause = -Math.log(1 - this.#traffic()) / ratePerMs;
    if (this.#time.now() + pause >= end) return;
    this.#time.after(pause, () => {
      const client = this.#clients[Math.floor(this.#traffic() * CLIENTS)]!;
      const normal = Math.sqrt(-2 * Math.log(1 - this.#traffic())) * Math.cos(2 * Math.PI * this.#traffic());
      // The mean of a log-normal is exp(σ²/2) times its median.
      this.#call(client, SERVICE_MS * Math.exp(SPREAD * normal - SPREAD ** 2 / 2));
      this.#arrive(ratePerMs, end);
    });
  }

  #call({ chooser, zone }: Client, workMs: number): void {
    const time = this.#time;
    const startedAt = time.now();
    const server = chooser.pick();
    const speed = this.scenario.speed?.(server.index, this.scenario.instances) ?? 1;
    const wayMs = server.zone === zone ? WITHIN_ZONE_MS : BETWEEN_ZONES_MS / 2;
    let over = false;
    let cancel: (() => void) | undefined;
    const end = (how: Ended) => {
      if (over) return;
      over = true;
      timer.cancel();
      chooser.done(server, how, time.now() - startedAt);
      this.#count(server, startedAt, how, time.now() - startedAt);
    };
    const timer = time.after(PATIENCE_MS, () => {
      cancel?.();
      end('timeout');
    });
    time.after(wayMs, () => {
      if (over) return;
      cancel = server.take(workMs * speed, (ending) => {
        cancel = undefined;
        time.after(wayMs, () => end(ending === 'ok' ? 'success' : 'failure'));
      });
    });
  }

  #count(server: Server, startedAt: number, how: Ended, durationMs: number): void {
    const at = startedAt / 1_000;
    const odd = this.#odd(server);
    const second = this.#seconds[Math.floor(at)]!;
    second.calls++;
    if (odd) second.oddCalls++;
    if (how !== 'success') second.failed++;
    this.#durations[Math.floor(at)]!.push(how === 'success' ? durationMs : PATIENCE_MS);
    if (at < WARM_UP_S) return;
    this.#calls++;
    if (how !== 'success') this.#failed++;
    const [from, to] = this.scenario.trouble;
    if (at < from + 1 || at >= to) return;
    this.#troubledCalls++;
    if (odd) this.#oddCalls++;
  }

  #result(): Result {
    const all = new Float64Array(this.#durations.slice(WARM_UP_S).flat()).toSorted();
    this.#durations.forEach((durations, index) => {
      this.#seconds[index]!.p99Ms = quantile(new Float64Array(durations).toSorted(), 0.99);
    });
    const odd = this.#servers.filter((server) => this.#odd(server)).length;
    const fair = odd / this.#servers.length;
    return {
      contender: this.contender.name,
      calls: this.#calls,
      p50Ms: quantile(all, 0.5),
      p99Ms: quantile(all, 0.99),
      failures: this.#failed / this.#calls,
      oddShare: odd === 0 ? undefined : this.#oddCalls / this.#troubledCalls / fair,
      seconds: this.#seconds,
    };
  }
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}
