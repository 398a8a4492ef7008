import { z } from 'zod';
import { changesBetween, type Leaves, type TextChange } from './leaves.js';

/** The reserved entry in which a service's history is, beside its settings. */
export const HISTORY_PATH = '.history';

/** One change of a service's settings in one store. */
export interface Revision {
  /** 1, 2, … */
  readonly revision: number;
  /** When it was made, or for a stranger's when it was noticed; ISO 8601. */
  readonly at: string;
  /** `user@host`, or {@link SOMEONE_ELSE}. */
  readonly by: string;
  /** By path of a single value. */
  readonly changes: ReadonlyMap<string, TextChange>;
}

/** Who changed a store by other means than this history's: its own tools, or an editor. */
export const SOMEONE_ELSE = 'someone else';

const MOST_REVISIONS = 100;
/** What one entry of every store can be; Consul takes 512 KiB at most, for a whole transaction. */
const MOST_BYTES = 256 * 1024;

const storedText = z.string().nullable();
const storedRevision = z.object({
  revision: z.int(),
  at: z.string(),
  by: z.string(),
  /** Before and after; null for nothing. */
  changes: z.record(z.string(), z.tuple([storedText, storedText])),
});
const storedHistory = z
  .object({
    /** The number of the last revision. */
    revision: z.int().min(0),
    /** What the store said after it, by which a stranger's change is noticed. Left out where it is too long to keep. */
    state: z.record(z.string(), z.string()).optional(),
    revisions: z.array(storedRevision),
  })
  .refine(({ revision, revisions }) =>
    revisions.toReversed().every((one, index) => one.revision === revision - index && one.revision > 0),
  );
type StoredHistory = z.infer<typeof storedHistory>;
type StoredRevision = z.infer<typeof storedRevision>;

/**
 * The last changes of a service's settings in one store, and what it said after each. It is an entry of the store itself,
 * written in one step with the change: up to 100 revisions and 256 KiB, the oldest go first. Immutable.
 */
export class History {
  /** From the oldest that is kept to the latest. */
  readonly revisions: readonly Revision[];
  /** The number of the latest revision, 0 before the first. */
  readonly latest: number;
  readonly #state: Leaves | undefined;

  private constructor(revisions: readonly Revision[], latest: number, state: Leaves | undefined) {
    this.revisions = revisions;
    this.latest = latest;
    this.#state = state;
  }

  /** Reads the entry; one that is not there, or that somebody has spoilt, is an empty history. */
  static read(text: string | undefined): History {
    const stored = storedHistory.safeParse(parsedJson(text));
    if (!stored.success) return new History([], 0, new Map());
    const { revision, state, revisions } = stored.data;
    return new History(revisions.map(readRevision), revision, state && leavesFrom(Object.entries(state)));
  }

  /** This history, with what others changed since as one more revision if `now` is not what it last knew. */
  caughtUp(now: Leaves, at: string): History {
    if (!this.#state) return new History([], this.latest, now);
    return this.with(now, at, SOMEONE_ELSE);
  }

  /** This history with one more revision, after which the store says `after`; itself where that changes nothing. */
  with(after: Leaves, at: string, by: string): History {
    const changes = changesBetween(this.#state ?? new Map(), after);
    if (changes.size === 0) return this;
    const revision = { revision: this.latest + 1, at, by, changes };
    return new History([...this.revisions, revision], revision.revision, after);
  }

  /** The oldest revision to which the settings can be brought back: the one before the oldest change that is kept. */
  get oldest(): number {
    return this.latest - this.revisions.length;
  }

  /** What the store said after a revision; undefined where that is not kept. */
  stateAfter(revision: number): Leaves | undefined {
    if (!this.#state || !Number.isSafeInteger(revision) || revision > this.latest || revision < this.oldest)
      return undefined;
    const state = new Map(this.#state);
    for (const { revision: later, changes } of this.revisions.toReversed()) {
      if (later <= revision) break;
      for (const [path, { before }] of changes) {
        if (before === undefined) state.delete(path);
        else state.set(path, before);
      }
    }
    return leavesFrom(state);
  }

  /** The entry's text, within its bounds. */
  get text(): string {
    const state = this.#state && Object.fromEntries(this.#state);
    const kept = this.revisions.slice(-MOST_REVISIONS).map((revision) => {
      const stored = toStored(revision);
      return { stored, bytes: Buffer.byteLength(JSON.stringify(stored)) + 1 };
    });
    const frame: StoredHistory = { revision: this.latest, ...(state && { state }), revisions: [] };
    let bytes = kept.reduce((sum, one) => sum + one.bytes, Buffer.byteLength(JSON.stringify(frame)));
    while (bytes > MOST_BYTES && kept.length > 0) bytes -= kept.shift()!.bytes;
    // Settings that are too long for any history: only the count goes on.
    if (bytes > MOST_BYTES) return JSON.stringify({ revision: this.latest, revisions: [] } satisfies StoredHistory);
    return JSON.stringify({ ...frame, revisions: kept.map(({ stored }) => stored) });
  }
}

function parsedJson(text = ''): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readRevision({ revision, at, by, changes }: StoredRevision): Revision {
  const texts = Object.entries(changes).map(
    ([path, [before, after]]) => [path, { before: before ?? undefined, after: after ?? undefined }] as const,
  );
  return { revision, at, by, changes: new Map(texts) };
}

function toStored({ revision, at, by, changes }: Revision): StoredRevision {
  const texts: StoredRevision['changes'] = {};
  for (const [path, { before, after }] of changes) texts[path] = [before ?? null, after ?? null];
  return { revision, at, by, changes: texts };
}

function leavesFrom(entries: Iterable<readonly [string, string]>): Leaves {
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
