import { systemClock, type Clock, type Random } from '@holdfast/core';
import { VerbScope } from '@holdfast/core/driver';
import type { Changes, ConfigDriver, Reading } from '../driver.js';
import type { ConfigAddress, ConfigDriverDeps } from './config-address.js';
import { CALL_MS, EtcdMember, EtcdUnreachable } from './etcd-member.js';
import { readEtcdUrl, type EtcdSettings } from './etcd-url.js';
import { EtcdWatch, rangesOf } from './etcd-watch.js';
import { transactionOf } from './etcd-write.js';
import { ServiceKeys, StoredKeys } from './service-keys.js';

/** The longest that one member may take for a reading, in milliseconds. */
const READ_MS = 1_000;

export interface EtcdOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
  /** @default 60_000 */
  readonly maxWaitMs?: number;
}

/** What a service's keys were at one revision of the store. */
interface Snapshot {
  readonly stored: StoredKeys;
  readonly revision: number;
}

/**
 * etcd, through one member at a time; one that cannot be reached, has no quorum or stays silent is left for the next. Reads
 * are linearizable, whichever member they ask.
 *
 * A cursor names the watch that was open when its reading was made, the store's revision and a digest of what it held.
 * With that watch still open, a read waits for it to tell of a later revision. Without it, what is there is read and compared.
 */
export class EtcdDriver implements ConfigDriver {
  readonly name: string;
  readonly remote = true;
  readonly maxWaitMs: number;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #members: readonly EtcdMember[];
  readonly #verbs: VerbScope;
  /** The longest that a verb may take beside waiting: every member gets its time. */
  readonly #verbMs: number;
  /** By service. One that broke stays here until it is missed. */
  readonly #watches = new Map<string, { readonly opening: Promise<EtcdWatch>; opened?: EtcdWatch }>();
  #using = 0;
  #closed = false;

  constructor(settings: EtcdSettings, options: EtcdOptions = {}) {
    this.#prefix = settings.prefix;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#members = settings.hosts.map((host) => new EtcdMember(host, settings));
    this.#verbMs = this.#members.length * (CALL_MS + 2 * READ_MS) + CALL_MS + 1_000;
    this.name = `etcd at ${settings.hosts.join(', ')}`;
    this.#verbs = new VerbScope(this.name, this.#clock);
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Reading> {
    const keys = new ServiceKeys(this.#prefix, service);
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + this.#verbMs;
    return this.#verbs.run({ signal, withinMs }, (ended) =>
      after === undefined ? this.#readNow(keys, ended) : this.#readOn(keys, after, ended),
    );
  }

  write(service: string, changes: Changes, cursor: string, signal: AbortSignal): Promise<boolean> {
    const keys = new ServiceKeys(this.#prefix, service);
    return this.#verbs.run({ signal, withinMs: this.#verbMs }, async (ended) => {
      const { stored, revision } = await this.#ask((member) => snapshot(member, keys, 'linearizable'), ended);
      if (stored.digest !== cursor.split('/')[2]) return false;
      const request = transactionOf(this.name, keys, stored, revision, changes);
      ended.throwIfAborted();
      const member = this.#member();
      try {
        return (await member.txn(request)).succeeded;
      } catch (error) {
        if (!(error instanceof EtcdUnreachable)) throw error;
        this.#leave(member);
        throw new Error(`${error.message.replace(/\.$/, '')}; the change may have been written or not.`, {
          cause: error,
        });
      }
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#verbs.close();
    for (const { opened } of this.#watches.values()) opened?.close();
    for (const member of this.#members) member.close();
    return Promise.resolve();
  }

  async #readNow(keys: ServiceKeys, ended: AbortSignal): Promise<Reading> {
    const found = await this.#snapshot(keys, 0, ended);
    return { entries: found.stored.entries, cursor: cursorOf(undefined, found) };
  }

  async #readOn(keys: ServiceKeys, after: string, ended: AbortSignal): Promise<Reading> {
    // Processes that were started together shall not come together every minute.
    const until = this.#clock.now() + this.maxWaitMs * (1 - this.#random() / 8);
    const left = () => until - this.#clock.now();
    let cursor = after;
    for (let broken = 0; ;) {
      const watch = await this.#watching(keys);
      const [id, revision, digest] = cursor.split('/');
      if (id === watch.id) await watch.changed(Number(revision), this.#clock, left(), ended);
      // A member that is lost is one time no news for the reader; then it is the store that is in trouble.
      if (watch.broken) {
        this.#leave(watch.member);
        if (++broken > 1) throw watch.broken;
        continue;
      }
      const found = await this.#snapshot(keys, Math.max(Number(revision), watch.since), ended);
      cursor = cursorOf(watch, found);
      if (found.stored.digest !== digest || left() <= 0) return { entries: found.stored.entries, cursor };
    }
  }

  /** The service's watch, at most one. It is opened for whoever asks for it, so no single caller's signal ends that. */
  async #watching(keys: ServiceKeys): Promise<EtcdWatch> {
    const known = this.#watches.get(keys.document);
    if (known && !known.opened?.broken) return known.opening;
    const opening = this.#ask((member) => EtcdWatch.open(member, keys, this.#clock));
    const entry: { opening: Promise<EtcdWatch>; opened?: EtcdWatch } = { opening };
    this.#watches.set(keys.document, entry);
    try {
      entry.opened = await opening;
      if (this.#closed) entry.opened.close();
      return entry.opened;
    } catch (error) {
      if (this.#watches.get(keys.document) === entry) this.#watches.delete(keys.document);
      throw error;
    }
  }

  /**
   * What is there now. While the cluster has no leader (and in etcd 3.4 for seconds longer, since a read that was lost with
   * the leader holds up all others), what a member itself has will do, from `oldest` on: before that it could lack what the reader knows, or
   * what the watch will not tell since it was there before it.
   */
  async #snapshot(keys: ServiceKeys, oldest: number, ended: AbortSignal): Promise<Snapshot> {
    try {
      return await this.#ask((member) => snapshot(member, keys, 'linearizable'), ended);
    } catch (error) {
      if (!(error instanceof EtcdUnreachable) || ended.aborted) throw error;
      const local = await this.#ask((member) => snapshot(member, keys, 'local'), ended);
      if (local.revision < oldest) throw error;
      return local;
    }
  }

  /** Asks the member in use; the others in turn, once each, while there is no good answer from the one that was asked. */
  async #ask<T>(question: (member: EtcdMember) => Promise<T>, ended?: AbortSignal): Promise<T> {
    for (let tried = 1; ; tried++) {
      const member = this.#member();
      try {
        return await question(member);
      } catch (error) {
        if (!(error instanceof EtcdUnreachable)) throw error;
        this.#leave(member);
        if (ended?.aborted || tried >= this.#members.length) throw error;
      }
    }
  }

  #member(): EtcdMember {
    const member = this.#members[this.#using];
    if (!member) throw new Error(`${this.name} has no member ${this.#using}.`);
    return member;
  }

  /** Of several calls to the same member the first to fail moves on; the others then need not. */
  #leave(member: EtcdMember): void {
    if (this.#member() === member) this.#using = (this.#using + 1) % this.#members.length;
  }
}

/** Both ranges in one transaction, and so at one revision. */
async function snapshot(member: EtcdMember, keys: ServiceKeys, kind: 'linearizable' | 'local'): Promise<Snapshot> {
  const serializable = kind === 'local';
  const success = rangesOf(keys).map((range) => ({ request_range: { ...range, serializable } }));
  const { header, responses } = await member.txn({ success }, READ_MS);
  const found = responses.flatMap(({ response_range: { kvs } }) => kvs);
  const stored = found.map(({ key, value, mod_revision: version }) => ({
    key: key.toString(),
    value: value.toString(),
    version: Number(version),
  }));
  return { stored: new StoredKeys(keys, stored), revision: Number(header.revision) };
}

const cursorOf = (watch: EtcdWatch | undefined, { stored, revision }: Snapshot): string =>
  `${watch?.id ?? ''}/${revision}/${stored.digest}`;

/**
 * Opens `etcd://[user[:password]@]host:port[,host:port…]/prefix`, or `etcds://` with TLS. The members of one cluster are asked in
 * turn when one is lost. Keys begin with the prefix and have no slash before it; for keys with one write `//prefix`. The
 * document of a service is at `prefix/service`, its single entries below that: see {@link ServiceKeys}.
 *
 * - the password is the URL's, else {@link ConfigDriverDeps.etcdPassword}
 * - `ca`: file with the authority's certificate. Default: those that Node trusts
 * - `cert`, `key`: files with this process's own certificate and its key. Default: none
 *
 * @throws StartupError when the URL cannot be used
 */
export function openEtcd(address: ConfigAddress, deps: ConfigDriverDeps): Promise<ConfigDriver> {
  return Promise.resolve(new EtcdDriver(readEtcdUrl(address, deps.etcdPassword), deps));
}
