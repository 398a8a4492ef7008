import type { Clock, Random } from '@holdfast/core';
import { Bell } from '@holdfast/core/driver';
import type { Answer, Instance } from '../driver.js';
import type { KubernetesApi, SliceEvent, SliceList } from './k8s-api.js';
import { fromSlices, type EndpointSlice } from './k8s-slices.js';

/** A server that is well confirms a watch at once; this long it may take, in milliseconds. */
const CONFIRM_MS = 5_000;
/** How long the server shall keep a watch, in seconds; spread, so that a fleet does not come back all at once. */
const WATCH_S = { least: 240, spread: 120 };
/** A watch that ends sooner than this, in milliseconds, and has said nothing, is no watch. */
const TOO_SHORT_MS = 1_000;

export interface FeedDeps {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
}

let serial = 0;

/**
 * The slices of one service, kept up to date by one watch that goes on between reads: to open a connection for each change would
 * cost the server a handshake with every watcher. It repeats nothing: a watch that failed is told to the next reader.
 */
export class SliceFeed {
  readonly #service: string;
  readonly #deps: FeedDeps;
  readonly #id = ++serial;
  readonly #slices: Map<string, EndpointSlice>;
  readonly #changed = new Bell();
  #resourceVersion: string;
  #instances: readonly Instance[];
  #version = 0;
  #watching: AbortController | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(service: string, list: SliceList, deps: FeedDeps) {
    this.#service = service;
    this.#deps = deps;
    this.#slices = new Map(list.slices.map((slice) => [slice.metadata.name, slice]));
    this.#resourceVersion = list.resourceVersion;
    this.#instances = fromSlices(service, this.#slices.values());
  }

  get answer(): Answer {
    return { instances: this.#instances, cursor: `${this.#id}/${this.#version}` };
  }

  /** Whether it says what `list` says, so that its watch is not in doubt. */
  agrees(list: SliceList): boolean {
    const listed = fromSlices(this.#service, list.slices);
    return this.#failure === undefined && JSON.stringify(listed) === JSON.stringify(this.#instances);
  }

  /**
   * The present answer, as soon as it is not the one that `after` names, or `ms` milliseconds are over.
   * @throws what ended the watch, once
   */
  async next(after: string, ms: number, signal: AbortSignal): Promise<Answer> {
    const until = this.#deps.clock.now() + ms;
    for (;;) {
      const heard = this.#changed.rings;
      if (this.#failure) {
        const { error } = this.#failure;
        this.#failure = undefined;
        throw error;
      }
      const left = until - this.#deps.clock.now();
      if (this.answer.cursor !== after || left <= 0) return this.answer;
      if (!this.#watching) void this.#watch((this.#watching = new AbortController()));
      await this.#changed.wait(heard, this.#deps.clock, left, signal);
    }
  }

  close(): void {
    this.#watching?.abort(new Error('closed'));
  }

  async #watch(watching: AbortController): Promise<void> {
    const { api, clock, random } = this.#deps;
    const seconds = Math.round(WATCH_S.least + WATCH_S.spread * random());
    const since = clock.now();
    let said = 0;
    const confirm = clock.after(CONFIRM_MS, () =>
      watching.abort(new Error(`kubernetes at ${api.address} did not confirm a watch within ${CONFIRM_MS} ms.`)),
    );
    try {
      for await (const event of api.watch(this.#service, this.#resourceVersion, seconds, watching.signal)) {
        confirm.cancel();
        if (!event) continue;
        said++;
        this.#apply(event);
      }
      if (said === 0 && clock.now() - since < TOO_SHORT_MS) {
        throw new Error(`kubernetes at ${api.address} ended a watch at once.`);
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      confirm.cancel();
      this.#watching = undefined;
      this.#changed.ring();
    }
  }

  #apply({ type, object }: SliceEvent): void {
    this.#resourceVersion = object.metadata.resourceVersion;
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED') this.#slices.delete(object.metadata.name);
    else this.#slices.set(object.metadata.name, object);
    const instances = fromSlices(this.#service, this.#slices.values());
    if (JSON.stringify(instances) === JSON.stringify(this.#instances)) return;
    this.#instances = instances;
    this.#version++;
    this.#changed.ring();
  }
}
