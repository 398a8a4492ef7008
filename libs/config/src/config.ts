import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import {
  abortAfter,
  Cell,
  StartupError,
  systemClock,
  type Clock,
  type Journal,
  type Live,
  type Random,
} from '@holdfast/core';
import type { z } from 'zod';
import { Acceptance } from './acceptance.js';
import type { ConfigDriver, Reading } from './driver.js';
import { StoreLayer } from './store-layer.js';
import type { ConfigSnapshots } from './snapshots.js';
import { sentenceOf, someOf, type ConfigStatus } from './status.js';

export interface ConfigOptions {
  /** Where what remote stores said survives a restart. @default none: a start without the store has defaults */
  readonly snapshots?: ConfigSnapshots;
  /** @default the system's */
  readonly clock?: Clock;
  /** For jitter. @default Math.random */
  readonly random?: Random;
  /** Where it notes what is in use from now on, and what is refused. @default nowhere */
  readonly journal?: Journal;
}

export interface StartOptions {
  /** How long to wait for stores that do not answer, in milliseconds. @default 3_000 */
  readonly withinMs?: number;
}

/**
 * What are the numbers? One per process. It follows the stores and gives out cells: built-in default < code < the stores in
 * their order. A change is in use whole or not at all; what cannot be used is reported once, shows in {@link status}, and leaves
 * what was in use before. A store that is down changes nothing.
 */
export class Config {
  readonly #service: string;
  readonly #drivers: readonly ConfigDriver[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #journal: Journal | undefined;
  readonly #acceptance: Acceptance;
  readonly #layers: readonly StoreLayer[];
  readonly #status: Cell<ConfigStatus>;
  readonly #logger = new Logger(Config.name);
  readonly #telling: (() => void)[] = [];
  #started = false;
  #settled = false;
  #closed = false;
  #refreshDue = false;

  /**
   * @param service whose settings these are
   * @param drivers the stores, the strongest last; it closes them
   */
  constructor(service: string, drivers: readonly ConfigDriver[], options: ConfigOptions = {}) {
    this.#service = service;
    this.#drivers = drivers;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#journal = options.journal;
    this.#acceptance = new Acceptance(drivers.map(({ name }) => name));
    this.#layers = drivers.map(
      (driver, index) =>
        new StoreLayer(driver, this.#acceptance.layers[index]!, {
          service,
          clock: this.#clock,
          snapshots: options.snapshots,
          onReading: (layer, reading) => this.#onReading(layer, reading),
          onRecall: (layer) => {
            this.#acceptance.offerFallback(layer.entries);
            this.#publish();
          },
          onContact: () => this.#refresh(),
          log: (message) => this.#logger.warn(message),
        }),
    );
    this.#status = new Cell<ConfigStatus>(this.#judge(), isDeepStrictEqual);
  }

  /** Whose settings these are. */
  get service(): string {
    return this.#service;
  }

  /** The stores, the strongest last. */
  get drivers(): readonly ConfigDriver[] {
    return this.#drivers;
  }

  /** How it stands: the stores, what of their texts is not in use, and whether any of that is a reason to look. */
  get status(): Live<ConfigStatus> {
    return this.#status;
  }

  /**
   * The value at `key`, for good: what the stores say there over what `code` says, as `schema` makes it. Values that are deeply
   * equal to the present one are no change. All cells change together before any listener is told. Of two keys of which one
   * begins with the other, the longer one has its part for itself.
   * @param key words with dots between them, such as `greeting` or `resilience.users.get`
   * @param code what the code says, below the stores. @default nothing
   * @throws StartupError where the schema refuses what the code says, or the key was asked for with another schema
   */
  live<S extends z.ZodType>(key: string, schema: S, code?: z.input<S>): Live<z.output<S>> {
    const known = this.#acceptance.claims.get(key);
    if (known && (known.schema !== schema || !isDeepStrictEqual(known.code, code))) {
      throw new StartupError(`The config key "${key}" is asked for with two schemas or defaults; use one for both.`);
    }
    const claim = known ?? this.#acceptance.claim({ key, schema, code });
    if (!known) {
      this.#tell(this.#acceptance.publish().tell);
      this.#refreshSoon();
    }
    return claim.live as Live<z.output<S>>;
  }

  /**
   * Begins to follow the stores, and waits until each has answered, but not longer than it may. What has not answered by then is
   * followed on; until it does, its snapshot holds, or the defaults. It never rejects.
   */
  async start({ withinMs = 3_000 }: StartOptions = {}): Promise<void> {
    if (this.#started || this.#closed) return;
    this.#started = true;
    using bound = abortAfter(this.#clock, withinMs, 'start');
    await Promise.all(this.#layers.map((layer) => layer.start(this.#random, bound.signal)));
    this.#refresh();
  }

  /**
   * Says that everything that the app asks for from its start on has been asked for. Until then, a claim that cannot have what a
   * store says shows that the whole entry is bad. From then on such a claim has its default, and what nobody asks for is reported.
   */
  settled(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#acceptance.settle();
    this.#refresh();
  }

  /** Ends all following, writes snapshots that are due and closes the drivers. The cells keep their last values. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#layers.map((layer) => layer.close()));
    await Promise.all(this.#drivers.map((driver) => driver.close()));
  }

  #onReading(layer: StoreLayer, reading: Reading): void {
    this.#acceptance.offer(layer.entries, reading.entries);
    this.#publish();
  }

  #publish(): void {
    const { changed, tell } = this.#acceptance.publish();
    // Keys and no values: some are secrets.
    if (this.#settled && changed.length > 0) {
      this.#logger.log(`in use from now on: ${someOf(changed)}`);
      this.#journal?.note('applied', this.#service, `uses another ${someOf(changed, 5)}`);
    }
    this.#tell(tell);
    this.#refresh();
  }

  /** Tells listeners in order, also those of a change that a listener makes by a claim of its own. */
  #tell(listeners: readonly (() => void)[]): void {
    const busy = this.#telling.length > 0;
    this.#telling.push(...listeners);
    if (busy) return;
    for (let index = 0; index < this.#telling.length; index++) {
      try {
        this.#telling[index]!();
      } catch (error) {
        this.#logger.error('a listener of a setting failed', error instanceof Error ? error.stack : String(error));
      }
    }
    this.#telling.length = 0;
  }

  /** Claims come in crowds; what they change in the status is looked at once. */
  #refreshSoon(): void {
    if (this.#refreshDue) return;
    this.#refreshDue = true;
    queueMicrotask(() => {
      if (this.#refreshDue) this.#refresh();
    });
  }

  #refresh(): void {
    this.#refreshDue = false;
    for (const problem of this.#acceptance.takeNews()) {
      this.#logger.warn(sentenceOf(problem));
      this.#journal?.note(
        'refused',
        problem.path || 'the document',
        `of ${problem.layer} is not in use`,
        problem.reason,
      );
    }
    const before = new Set(this.#status.value.unclaimed);
    const status = this.#judge();
    const strangers = status.unclaimed.filter((path) => !before.has(path));
    if (strangers.length > 0) this.#logger.warn(`nothing here asks for ${someOf(strangers)}: misspelt?`);
    for (const layer of this.#layers) layer.keep();
    this.#status.set(status);
  }

  #judge(): ConfigStatus {
    const layers = this.#layers.map((layer) => layer.status);
    const problems = this.#acceptance.problems();
    return {
      layers,
      problems,
      unclaimed: this.#settled ? this.#acceptance.unclaimed() : [],
      degraded: problems.length > 0 || layers.some(({ contact }) => contact !== 'up'),
    };
  }
}
