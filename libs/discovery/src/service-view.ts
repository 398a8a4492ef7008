import { abortAfter, Cell, sleep, until, type Clock, type Journal, type Live, type Random } from '@holdfast/core';
import type { Contact } from './contact.js';
import type { Instance, RegistryDriver } from './driver.js';
import { addressOf, byId, sameInstances } from './instances.js';
import { probeAll, type Probe } from './probe.js';
import { Roster } from './roster.js';
import type { Snapshots } from './snapshots.js';

export interface ServiceViewDeps {
  readonly driver: RegistryDriver;
  readonly contact: Contact;
  readonly clock: Clock;
  readonly random: Random;
  readonly probe: Probe;
  readonly snapshots: Snapshots | undefined;
  /** How often the whole list is read anew although the watch says nothing, in milliseconds, ± 25 %. */
  readonly refreshEveryMs: number;
  readonly journal?: Journal | undefined;
  readonly log: (message: string) => void;
}

/** none: nothing is known yet · snapshot: from disk, each entry probed · registry: the registry's word, or the last good one */
export type ViewOrigin = 'none' | 'snapshot' | 'registry';

/**
 * Two reads of one service start at least this far apart, in milliseconds. It is what a flapping instance can cost: however
 * often it comes and goes, the view changes ten times a second at most, and is right again after the last change.
 */
const READ_SPACING_MS = 100;
/** How often instances that the registry dropped in bulk, or a snapshot names, are asked again, in milliseconds. */
const RECHECK_MS = 2_000;
/** They are never asked sooner than this after the last time, in milliseconds, whatever the registry says meanwhile. */
const RECHECK_SPACING_MS = 500;
const SNAPSHOT_DELAY_MS = 500;
/** As many of a fleet as a snapshot has: a cold start needs a few that answer, and writing 10,000 would block for long. */
const SNAPSHOT_MOST = 1_000;
/** What leaves within so many milliseconds left at once: a registry that loses a fleet may be seen losing it one by one. */
const AT_ONCE_MS = 1_000;

/**
 * What this process believes about one service. It follows the registry, with two exceptions, in which the instances
 * themselves are asked: an answer that drops everything or half at once is as likely the registry's fault as the truth,
 * so what it dropped stays as long as it answers, and nothing else waits for that; and while the registry cannot be reached at a cold start, what a
 * snapshot from disk names is used as far as it answers. When the registry fails later, the last good view just stays.
 */
export class ServiceView {
  readonly service: string;
  readonly #deps: ServiceViewDeps;
  readonly #stop = new AbortController();
  readonly #instances = new Cell<readonly Instance[]>([], sameInstances);
  readonly #listed: Roster;
  /** How often there was reason to ask instances at once. */
  readonly #doubts = new Cell(0);
  readonly #running: Promise<unknown>;
  #origin: ViewOrigin = 'none';
  /** Dropped by the registry in bulk, and not yet found silent. */
  #held: readonly Instance[] = [];
  /** Left the registry's answers a moment ago, a few at a time. */
  #left: readonly { readonly instance: Instance; readonly at: number }[] = [];
  #lastRead = -Infinity;
  #snapshotDue = false;

  constructor(service: string, deps: ServiceViewDeps) {
    this.service = service;
    this.#deps = deps;
    this.#listed = new Roster(service);
    const signal = this.#stop.signal;
    this.#running = Promise.all([this.#follow(signal), this.#recheck(signal)]);
  }

  /** The instances to use, in the order of their ids. */
  get instances(): Live<readonly Instance[]> {
    return this.#instances;
  }

  get origin(): ViewOrigin {
    return this.#origin;
  }

  /** Ids of instances that are kept against the registry's word, because they still answer. */
  get held(): readonly string[] {
    return this.#held.map((instance) => instance.id);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('closed'));
    await this.#running;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { contact, clock, random, refreshEveryMs } = this.#deps;
    let cursor: string | undefined;
    let refreshAt = 0;
    while (!signal.aborted) {
      try {
        const tooEarly = this.#lastRead + READ_SPACING_MS - clock.now();
        if (tooEarly > 0) await sleep(clock, tooEarly, signal);
        if (clock.now() >= refreshAt) {
          cursor = undefined;
          refreshAt = clock.now() + refreshEveryMs * (0.75 + 0.5 * random());
        }
        const answer = await contact.call(() => this.#read(cursor, refreshAt, signal), signal);
        if (!answer) continue;
        cursor = answer.cursor;
        this.#accept(answer.instances);
      } catch {
        if (signal.aborted) return;
        // Whatever the watch was waiting on is in doubt, so the next read asks for everything.
        refreshAt = 0;
        if (this.#origin === 'none') await this.#recall(signal);
      }
    }
  }

  /** One read, or undefined where the periodic refresh fell due while it waited. */
  async #read(cursor: string | undefined, refreshAt: number, signal: AbortSignal) {
    const { driver, clock } = this.#deps;
    this.#lastRead = clock.now();
    if (cursor === undefined) return driver.read(this.service, undefined, signal);
    using refresh = abortAfter(clock, refreshAt - clock.now(), 'time for a full refresh', signal);
    try {
      return await driver.read(this.service, cursor, refresh.signal);
    } catch (error) {
      if (refresh.signal.aborted && !signal.aborted) return undefined;
      throw error;
    }
  }

  #accept(answer: readonly Instance[]): void {
    const { clock, driver, journal, log } = this.#deps;
    const now = clock.now();
    const before = this.#instances.value;
    const isBack = (instance: Instance) => this.#listed.has(addressOf(instance));
    const gone = this.#listed.take(answer);
    // A snapshot's instances were never the registry's to drop, and are lost to its first answer all the same.
    const dropped = this.#origin === 'snapshot' ? before.filter((instance) => !isBack(instance)) : gone;
    const earlier = this.#left.filter(({ instance, at }) => now - at < AT_ONCE_MS && !isBack(instance));
    this.#origin = 'registry';
    // A registry that has something new to say may have come to its senses, and what it still leaves out be gone by now.
    if (this.#held.length > 0) this.#doubt();
    this.#held = this.#held.filter((instance) => !isBack(instance));
    this.#left = [...earlier, ...dropped.map((instance) => ({ instance, at: now }))];
    const [left, known] = [this.#left.length, before.length + earlier.length];
    if (dropped.length > 0 && (this.#listed.instances.length === 0 || (left >= 2 && left * 2 >= known))) {
      log(`${driver.name} dropped ${left} of ${known} instances of ${this.service} at once; asking them`);
      journal?.note(
        'held',
        this.service,
        `keeps ${left} instances while they answer`,
        `${driver.name} dropped them at once`,
      );
      this.#held = [...this.#held, ...this.#left.map(({ instance }) => instance)];
      this.#left = [];
      this.#doubt();
    }
    this.#publish();
  }

  #doubt(): void {
    this.#doubts.set(this.#doubts.value + 1);
  }

  /** Asks the held ones, at once where there is reason and then from time to time, and a snapshot's while there is nothing better. */
  async #recheck(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    let asked = 0;
    while (!signal.aborted) {
      using pause = abortAfter(clock, RECHECK_MS * (0.75 + 0.5 * random()), 'time to ask again', signal);
      await until(this.#doubts, (doubts) => doubts > asked, pause.signal).catch(() => undefined);
      if (signal.aborted) return;
      asked = this.#doubts.value;
      // Also where the first read hangs instead of failing.
      if (this.#origin !== 'registry') await this.#recall(signal);
      if (this.#held.length === 0) continue;
      await this.#askHeld(signal);
      await sleep(clock, RECHECK_SPACING_MS, signal).catch(() => undefined);
    }
  }

  /** Keeps of the held ones those that still answer. */
  async #askHeld(signal: AbortSignal): Promise<void> {
    const { probe, clock } = this.#deps;
    const asked = new Set(this.#held);
    const alive = await probeAll(probe, this.#held, clock, signal);
    // The watch has gone on meanwhile: what is no longer held stays so, and what came to it was not asked.
    this.#held = this.#held.filter((instance) => alive.has(instance) || !asked.has(instance));
    this.#publish();
  }

  /** Uses what the snapshot names, as far as it answers: for a process that starts while the registry is down. */
  async #recall(signal: AbortSignal): Promise<void> {
    const { snapshots, probe, clock, driver, log } = this.#deps;
    const roster = new Roster(this.service);
    roster.take((await snapshots?.load(this.service)) ?? []);
    const remembered = roster.instances;
    const alive = await probeAll(probe, remembered, clock, signal);
    if (this.#origin === 'registry' || signal.aborted) return;
    if (this.#origin === 'none' && remembered.length > 0) {
      log(
        `${driver.name} is down; of ${this.service}, the snapshot names ${remembered.length}, and ${alive.size} answer`,
      );
    }
    if (remembered.length > 0) this.#origin = 'snapshot';
    this.#instances.set(remembered.filter((instance) => alive.has(instance)));
  }

  #publish(): void {
    if (this.#stop.signal.aborted) return;
    const listed = this.#listed.instances;
    this.#instances.set(this.#held.length === 0 ? listed : [...listed, ...this.#held].sort(byId));
    void this.#saveSoon();
  }

  async #saveSoon(): Promise<void> {
    const { snapshots, clock, log } = this.#deps;
    // An empty view is nothing that a cold start could use.
    if (!snapshots || this.#snapshotDue || this.#instances.value.length === 0) return;
    this.#snapshotDue = true;
    try {
      await sleep(clock, SNAPSHOT_DELAY_MS, this.#stop.signal);
      const instances = this.#instances.value;
      const every = Math.ceil(instances.length / SNAPSHOT_MOST);
      if (every > 0)
        await snapshots.save(
          this.service,
          instances.filter((_, place) => place % every === 0),
        );
    } catch (error) {
      if (!this.#stop.signal.aborted) log(`the snapshot of ${this.service} was not saved: ${String(error)}`);
    } finally {
      this.#snapshotDue = false;
    }
  }
}
