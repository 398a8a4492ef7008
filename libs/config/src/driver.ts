/**
 * What the store holds for one service at one moment: texts by path. The path `''` is the service's whole document (YAML
 * or JSON); any other, such as `greeting.template`, is one value or subtree that an operator set by itself. Paths that begin
 * with a dot are the platform's own (`.history`) and no settings.
 */
export interface Reading {
  readonly entries: ReadonlyMap<string, string>;
  /** Names this reading, for the next `read` and for `write`; opaque to everybody but the driver. */
  readonly cursor: string;
}

/** Texts to write by path, all of them or none; undefined deletes. */
export type Changes = ReadonlyMap<string, string | undefined>;

/**
 * The narrow port between {@link Config} and a store. A driver says what the store says, no more: retries, back-off,
 * jitter, last-known-good, decoding and judgement are Config's, once for all drivers.
 *
 * Every verb rejects when the store cannot be reached, refuses, or holds what cannot be read, with an Error whose message
 * is one sentence without secrets, and rejects with the signal's reason, soon, when the signal aborts. No verb retries by
 * itself. Every verb bounds its own calls in time (a `read` by {@link maxWaitMs} plus a margin), so that a silent store shows as
 * a rejection. After a rejection the next `read` comes without a cursor.
 */
export interface ConfigDriver {
  /** What to call this store in a sentence, without secrets: `etcd at 127.0.0.1:2379`. */
  readonly name: string;
  /** Whether it is another machine's, so that what it last said is worth keeping on disk for a start without it. */
  readonly remote: boolean;
  /** The longest a `read` with a cursor waits before it answers "unchanged", in milliseconds. */
  readonly maxWaitMs: number;

  /**
   * Without `after`: what is there now, at once. With the cursor of an earlier reading: waits until something of the service
   * may differ from that one, or `maxWaitMs` is over, and then gives what is there (which may still be equal). A change made
   * between the two reads, or while the connection was lost, ends the wait at once: no last state is ever missed.
   */
  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Reading>;
  /**
   * Writes the changes in one step, if nothing of the service was changed since the reading that `cursor` names; false if it was,
   * and then nothing is written. Where the store is one document (a file), a path other than `''` is the place in it.
   */
  write(service: string, changes: Changes, cursor: string, signal: AbortSignal): Promise<boolean>;
  /** Frees what the driver holds (timers, watchers, sockets). Pending verbs reject. */
  close(): Promise<void>;
}
