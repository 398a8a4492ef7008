import type { Clock } from './clock.js';
import type { Unsubscribe } from './live.js';

/**
 * What can happen that an operator wants to be told. To instances of what the process calls: joined, left, connected, lost (its
 * connection), ejected, readmitted, held (kept against the registry's word). To a policy: opened, halfOpen, closed. To
 * settings: applied, refused. To the registry: unreachable, reachable. To the process: serving, draining. By an operator: ordered.
 */
export type JournalKind =
  | 'joined'
  | 'left'
  | 'connected'
  | 'lost'
  | 'ejected'
  | 'readmitted'
  | 'held'
  | 'opened'
  | 'halfOpen'
  | 'closed'
  | 'applied'
  | 'refused'
  | 'unreachable'
  | 'reachable'
  | 'serving'
  | 'draining'
  | 'ordered';

/** One event. Subject and what read as a sentence: "users.get opened". */
export interface JournalEntry {
  /** 1, 2, … in this process. */
  readonly number: number;
  /** Wall time in milliseconds since the epoch. */
  readonly at: number;
  readonly kind: JournalKind;
  /** Whom it happened to: an instance, a policy's name, a service, a store. */
  readonly subject: string;
  readonly what: string;
  readonly why?: string;
}

export interface JournalOptions {
  readonly clock: Pick<Clock, 'wallTime'>;
  /** How many entries are kept; the oldest go first. @default 500 */
  readonly size?: number;
}

const DEFAULT_SIZE = 500;
/** A reason may quote what another process said; a longer one is cut, in characters. */
const LONGEST_TEXT = 300;

/**
 * What has happened in this process of late, for people. It is bounded in entries and in the length of each, and whoever notes
 * something pays for no more than that: listeners are told in the same turn and only take note themselves.
 */
export class Journal {
  readonly #clock: Pick<Clock, 'wallTime'>;
  readonly #size: number;
  readonly #listeners = new Set<(entry: JournalEntry) => void>();
  /** A ring: entry n is at n modulo the size. */
  readonly #ring: JournalEntry[] = [];
  #last = 0;

  constructor({ clock, size = DEFAULT_SIZE }: JournalOptions) {
    this.#clock = clock;
    this.#size = size;
  }

  note(kind: JournalKind, subject: string, what: string, why?: string): void {
    const entry: JournalEntry = {
      number: ++this.#last,
      at: this.#clock.wallTime(),
      kind,
      subject: shortened(subject),
      what: shortened(what),
      ...(why !== undefined && { why: shortened(why) }),
    };
    this.#ring[entry.number % this.#size] = entry;
    // A copy: a listener may leave while it is being told.
    for (const listener of [...this.#listeners]) listener(entry);
  }

  /** The entries that are kept, the oldest first; with `after`, those with a higher number. */
  recent(after = 0): readonly JournalEntry[] {
    const first = Math.max(after, this.#last - this.#size) + 1;
    const entries: JournalEntry[] = [];
    for (let number = first; number <= this.#last; number++) entries.push(this.#ring[number % this.#size]!);
    return entries;
  }

  /** Calls `listener` with every later entry; it must not throw. */
  subscribe(listener: (entry: JournalEntry) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function shortened(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
