import { abortAfter, Cell, sleep, type Clock, type Live, type Random } from '@holdfast/core';
import type { Contact } from './contact.js';
import type { Instance, RegistryDriver } from './driver.js';
import { addressOf, normalise, sameInstances } from './instances.js';
import { probeAll, type Probe } from './probe.js';
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
  readonly log: (message: string) => void;
}

/** none: nothing is known yet · snapshot: from disk, each entry probed · registry: the registry's word, or the last good one */
export type ViewOrigin = 'none' | 'snapshot' | 'registry';

/** Two reads of one service start at least this far apart, in milliseconds: what a flapping instance can cost. */
const READ_SPACING_MS = 100;
/** How often instances that the registry dropped in bulk, or a snapshot names, are asked again, in milliseconds. */
const RECHECK_MS = 2_000;
const SNAPSHOT_DELAY_MS = 500;

/**
 * What this process believes about one service. It follows the registry, with two exceptions, in which the instances
 * themselves are asked: an answer that drops everything or half at once is as likely the registry's fault as the truth,
 * so what it dropped stays as long as it answers; and while the registry cannot be reached at a cold start, what a
 * snapshot from disk names is used as far as it answers. When the registry fails later, the last good view just stays.
 */
export class ServiceView {
  readonly service: string;
  readonly #deps: ServiceViewDeps;
  readonly #stop = new AbortController();
  readonly #instances = new Cell<readonly Instance[]>([], sameInstances);
  readonly #running: Promise<unknown>;
  #origin: ViewOrigin = 'none';
  #listed: readonly Instance[] = [];
  /** Dropped by the registry in bulk, but still answering when last asked. */
  #held: readonly Instance[] = [];
  #lastRead = -Infinity;
  #snapshotDue = false;

  constructor(service: string, deps: ServiceViewDeps) {
    this.service = service;
    this.#deps = deps;
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
        await this.#accept(normalise(this.service, answer.instances), signal);
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

  async #accept(answer: readonly Instance[], signal: AbortSignal): Promise<void> {
    const known = this.#instances.value;
    const addresses = new Set(answer.map(addressOf));
    const missing = known.filter((instance) => !addresses.has(addressOf(instance)));
    const alreadyHeld = new Set(this.#held);
    const newlyMissing = missing.filter((instance) => !alreadyHeld.has(instance));
    const inBulk =
      newlyMissing.length > 0 &&
      (answer.length === 0 || (newlyMissing.length >= 2 && newlyMissing.length * 2 >= known.length));
    this.#listed = answer;
    this.#origin = 'registry';
    this.#held = missing.filter((instance) => inBulk || alreadyHeld.has(instance));
    if (inBulk) {
      const { driver, log } = this.#deps;
      log(
        `${driver.name} dropped ${newlyMissing.length} of ${known.length} instances of ${this.service} at once; asking them`,
      );
      await this.#askHeld(signal);
    }
    this.#publish();
  }

  /** Keeps of the held ones those that still answer. */
  async #askHeld(signal: AbortSignal): Promise<void> {
    const { probe, clock } = this.#deps;
    const asked = this.#held;
    const alive = await probeAll(probe, asked, clock, signal);
    // The watch may have gone on meanwhile: what is no longer held stays so.
    this.#held = this.#held.filter((instance) => alive.has(instance) || !asked.includes(instance));
  }

  async #recheck(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    while (!signal.aborted) {
      try {
        await sleep(clock, RECHECK_MS * (0.75 + 0.5 * random()), signal);
        // Also where the first read hangs instead of failing.
        if (this.#origin !== 'registry') await this.#recall(signal);
        if (this.#held.length === 0) continue;
        await this.#askHeld(signal);
        this.#publish();
      } catch {
        return;
      }
    }
  }

  /** Uses what the snapshot names, as far as it answers: for a process that starts while the registry is down. */
  async #recall(signal: AbortSignal): Promise<void> {
    const { snapshots, probe, clock, driver, log } = this.#deps;
    const remembered = normalise(this.service, (await snapshots?.load(this.service)) ?? []);
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
    this.#instances.set(normalise(this.service, [...this.#listed, ...this.#held]));
    void this.#saveSoon();
  }

  async #saveSoon(): Promise<void> {
    const { snapshots, clock, log } = this.#deps;
    // An empty view is nothing that a cold start could use.
    if (!snapshots || this.#snapshotDue || this.#instances.value.length === 0) return;
    this.#snapshotDue = true;
    try {
      await sleep(clock, SNAPSHOT_DELAY_MS, this.#stop.signal);
      await snapshots.save(this.service, this.#instances.value);
    } catch (error) {
      if (!this.#stop.signal.aborted) log(`the snapshot of ${this.service} was not saved: ${String(error)}`);
    } finally {
      this.#snapshotDue = false;
    }
  }
}
