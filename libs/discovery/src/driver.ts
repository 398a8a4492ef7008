/** One running copy of a service, as the registry knows it. */
export interface Instance {
  /** Unique among all instances of all services, and new with every start of the process. */
  readonly id: string;
  /** The service's name: lower-case letters, digits and dashes. */
  readonly service: string;
  /** Where callers reach it. */
  readonly host: string;
  readonly port: number;
  readonly protocol: 'grpc' | 'http';
  /** Share of the load relative to its siblings, 1 to 100. @default 1 */
  readonly weight?: number;
  readonly version?: string;
  readonly zone?: string;
  /** Where its health, metrics and state are served. */
  readonly adminPort?: number;
  /** Anything else callers or operators want to know. Values are short; nothing secret. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a registry says about one service at one moment. */
export interface Answer {
  /** The instances that the registry holds for alive, in any order. */
  readonly instances: readonly Instance[];
  /** Names this answer, for the next `read`; opaque to everybody but the driver. */
  readonly cursor: string;
}

/**
 * The narrow port between {@link Discovery} and a registry. A driver says what the registry says, no more: retries,
 * back-off, jitter, caching, last-known-good, diffs and distrust of odd answers are Discovery's, once for all drivers.
 *
 * Every verb rejects when the registry cannot be reached or refuses, with an Error whose message is one sentence, and
 * rejects with the signal's reason, soon, when the signal aborts. No verb retries by itself. Every verb bounds its own
 * calls in time (a `read` by {@link maxWaitMs} plus a margin), so that a silent registry shows as a rejection.
 */
export interface RegistryDriver {
  /** What to call this registry in a sentence, without secrets: `consul at 127.0.0.1:8500`. */
  readonly name: string;
  /** A registration that is not renewed for a few of these may be dropped by the registry, in milliseconds. */
  readonly renewEveryMs: number;
  /** How long it may take until every watcher has seen a change while all is well, in milliseconds. */
  readonly propagationMs: number;
  /** The longest a `read` with a cursor waits before it answers "unchanged", in milliseconds. */
  readonly maxWaitMs: number;

  /** Writes the instance; whatever was there under its id is replaced. */
  register(instance: Instance, signal: AbortSignal): Promise<void>;
  /** Says the instance still lives. `false`: the registry does not know it (any more), and it must register again. */
  renew(instance: Instance, signal: AbortSignal): Promise<boolean>;
  /** Takes the instance out. Doing so twice, or for one never registered, is no error. */
  deregister(instance: Instance, signal: AbortSignal): Promise<void>;
  /**
   * Without `after`: the present answer, at once. With the cursor of an earlier answer: waits until the answer may
   * differ from that one, or `maxWaitMs` is over, and then gives the present answer (which may still be equal). A cursor
   * that means nothing to the registry (any more) is no failure: it is as none. Instances that have not changed may be the
   * same objects as in the answer before, which makes a large answer cheap.
   */
  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer>;
  /** Frees what the driver holds (timers, watchers, sockets). Pending verbs reject. */
  close(): Promise<void>;
}
