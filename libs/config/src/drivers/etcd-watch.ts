import type { Clock } from '@holdfast/core';
import type { IWatchRequest, IWatchResponse } from 'etcd3';
import {
  CALL_MS,
  EtcdRefusal,
  EtcdUnreachable,
  noAnswer,
  type EtcdMember,
  type Explain,
  type WatchStream,
} from './etcd-member.js';
import type { ServiceKeys } from './service-keys.js';

let watches = 0;

/**
 * One open stream that tells when something of a service changes, from now on. It is never resumed from a revision: who
 * has lost it opens another and reads afterwards. So nothing depends on what etcd has compacted meanwhile, or on whether it
 * is still the same store.
 */
export class EtcdWatch {
  /** Names this watch; no other in the process has it. */
  readonly id = String(++watches);
  /** Who tells it. */
  readonly member: EtcdMember;
  readonly #stream: WatchStream;
  readonly #explain: Explain;
  readonly #waiting = new Set<() => void>();
  #since = 0;
  #changedAt = 0;
  #unconfirmed = 2;
  #broken: Error | undefined;

  private constructor(member: EtcdMember, stream: WatchStream, explain: Explain) {
    this.member = member;
    this.#stream = stream;
    this.#explain = explain;
    stream.on('data', (response) => this.#hear(response));
    stream.on('error', (error) => this.#break(explain(error)));
    stream.on('end', () => this.#break(explain(new EtcdUnreachable(`etcd at ${member.address} has ended the watch.`))));
  }

  /**
   * What changes after this resolved will be told.
   * @throws EtcdRefusal · EtcdUnreachable when the member does not confirm it in time
   */
  static async open(member: EtcdMember, keys: ServiceKeys, clock: Clock): Promise<EtcdWatch> {
    const { stream, explain } = await member.watch();
    const watch = new EtcdWatch(member, stream, explain);
    // Two ranges, since one that has both would have other services' keys too, which this user may not even see.
    for (const range of rangesOf(keys)) watch.#stream.write({ create_request: range } as IWatchRequest);
    await watch.#until(() => watch.#unconfirmed === 0, clock, CALL_MS);
    if (watch.#unconfirmed > 0) watch.#break(explain(noAnswer(member.address)));
    if (watch.#broken) throw watch.#broken;
    return watch;
  }

  /** Why it tells nothing any more; undefined while it does. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  /** The revision from which on it tells of every change. */
  get since(): number {
    return this.#since;
  }

  /** Waits until something changed after `revision`, the watch broke, `ms` milliseconds are over or the signal aborts. */
  async changed(revision: number, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#changedAt > revision, clock, ms, signal);
  }

  close(): void {
    this.#break(new EtcdRefusal(`etcd at ${this.member.address} is not watched any more.`));
  }

  #until(done: () => boolean, clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = clock.after(ms, () => end());
      const end = () => {
        timer.cancel();
        this.#waiting.delete(look);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const look = () => {
        if (this.#broken || signal?.aborted || done()) end();
      };
      this.#waiting.add(look);
      signal?.addEventListener('abort', end, { once: true });
      look();
    });
  }

  #hear(response: IWatchResponse): void {
    if (response.canceled) return this.#break(this.#explain(new Error(response.cancel_reason || 'it ended the watch')));
    if (response.created) {
      this.#unconfirmed--;
      this.#since = Math.max(this.#since, Number(response.header.revision));
    }
    for (const { kv } of response.events) this.#changedAt = Math.max(this.#changedAt, Number(kv.mod_revision));
    this.#tell();
  }

  #break(reason: Error): void {
    if (this.#broken) return;
    this.#broken = reason;
    this.#stream.cancel();
    this.#tell();
  }

  #tell(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** The document's key, and all keys that begin with the folder: `0` is what comes after a slash. */
export function rangesOf({ document, folder }: ServiceKeys): readonly { key: Buffer; range_end?: Buffer }[] {
  return [
    { key: Buffer.from(document) },
    { key: Buffer.from(folder), range_end: Buffer.from(`${folder.slice(0, -1)}0`) },
  ];
}
