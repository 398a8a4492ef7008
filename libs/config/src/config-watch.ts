import { isDeepStrictEqual } from 'node:util';
import { systemClock, type Clock, type Random } from '@holdfast/core';
import { Acceptance } from './acceptance.js';
import type { Demand } from './claim.js';
import type { ConfigDriver, Reading } from './driver.js';
import { effectiveValues, type EffectiveValue } from './effective.js';
import { Follower } from './follower.js';
import { KeyGuide } from './key-facts.js';
import type { Layer } from './layer.js';
import { Mask, type ValueChange } from './proposal.js';
import { sentenceOf } from './status.js';

export interface ConfigWatchOptions {
  /** Told of every value that changes for the service's processes. Secrets are masked. */
  readonly onChange: (change: ValueChange) => void;
  /** Told, as one sentence, of what cannot be used, and of stores that stop or begin to answer. */
  readonly onNotice: (sentence: string) => void;
  /** @default the system's */
  readonly clock?: Clock;
  /** For jitter. @default Math.random */
  readonly random?: Random;
}

/**
 * Follows a service's stores as its processes do, with the same judgement: what they refuse shows as a notice, and changes nothing.
 * It begins at once; what is there then is no change.
 */
export class ConfigWatch {
  readonly #acceptance: Acceptance;
  readonly #guide: KeyGuide;
  readonly #mask: Mask;
  readonly #options: ConfigWatchOptions;
  readonly #followers: readonly Follower[];
  #values: ReadonlyMap<string, EffectiveValue>;

  /**
   * @param demands what the service asks for
   * @param drivers its stores, the strongest last; the caller closes them
   */
  constructor(
    service: string,
    demands: readonly Demand[],
    drivers: readonly ConfigDriver[],
    options: ConfigWatchOptions,
  ) {
    this.#options = options;
    this.#guide = new KeyGuide(demands);
    this.#mask = new Mask(this.#guide);
    this.#acceptance = new Acceptance(drivers.map(({ name }) => name));
    for (const demand of demands) this.#acceptance.claim(demand);
    this.#acceptance.settle();
    this.#values = effectiveValues(this.#acceptance, this.#guide);
    this.#followers = drivers.map((driver, index) =>
      this.#follow(service, driver, this.#acceptance.layers[index]!, options),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.close()));
  }

  #follow(service: string, driver: ConfigDriver, layer: Layer, options: ConfigWatchOptions): Follower {
    const { clock = systemClock, random = Math.random, onNotice } = options;
    let contact: 'unknown' | 'up' | 'down' = 'unknown';
    let known = false;
    return new Follower(driver, {
      service,
      clock,
      random,
      onReading: (reading) => {
        if (contact === 'down') onNotice(`${driver.name} answers again.`);
        contact = 'up';
        this.#take(layer, reading, known);
        known = true;
      },
      onFailure: (reason) => {
        if (contact !== 'down') onNotice(reason);
        contact = 'down';
      },
    });
  }

  #take(layer: Layer, { entries }: Reading, known: boolean): void {
    this.#acceptance.offer(layer, entries);
    this.#acceptance.publish();
    for (const problem of this.#acceptance.takeNews()) this.#options.onNotice(sentenceOf(problem));
    const before = this.#values;
    this.#values = effectiveValues(this.#acceptance, this.#guide);
    if (!known) return;
    for (const key of new Set([...before.keys(), ...this.#values.keys()])) {
      const change = { key, before: before.get(key), after: this.#values.get(key) };
      if (isDeepStrictEqual(change.before?.value, change.after?.value)) continue;
      const [old, fresh] = [this.#mask.value(change.before), this.#mask.value(change.after)];
      this.#options.onChange({ key, before: old, after: fresh });
    }
  }
}
