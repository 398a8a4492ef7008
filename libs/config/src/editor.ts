import { isDeepStrictEqual } from 'node:util';
import { backoffDelay, sleep, systemClock, type Clock, type Random } from '@holdfast/core';
import type { Acceptance, Problem } from './acceptance.js';
import type { Demand } from './claim.js';
import { Draft } from './draft.js';
import type { ConfigDriver, Reading } from './driver.js';
import { effectiveValues, type EffectiveValue } from './effective.js';
import { History, HISTORY_PATH, type Revision } from './history.js';
import { acceptanceOf } from './judgement.js';
import { KeyGuide } from './key-facts.js';
import { effectiveTree } from './layer.js';
import { changesBetween, isWithin, leavesOf, NULL, type TextChange } from './leaves.js';
import { Mask, refusal, type Proposal, type SettingsView, type ValueChange, type Written } from './proposal.js';
import { leafPaths } from './tree.js';

/** What to say, as YAML, by path; null takes back, so that the default counts again. The path `''` is the whole document. */
export type Edits = ReadonlyMap<string, string | null>;

/** What an operator asked for cannot be done; the message is one sentence. */
export class EditError extends Error {
  override readonly name = 'EditError';
}

export interface EditorOptions {
  /** Who edits, for the history: `user@host`. */
  readonly by: string;
  /** @default the system's */
  readonly clock?: Clock;
  /** For jitter. @default Math.random */
  readonly random?: Random;
}

/** Writers that lose so many races in a row give up. */
const MOST_ATTEMPTS = 10;

/**
 * The operator's side of a service's settings: looks at them, and changes them in the strongest store. Nothing is written that a
 * process which starts with it would refuse, and every change is in the history, written in the same step.
 *
 * Every verb rejects with an {@link EditError} when a store cannot be read or written.
 */
export class ConfigEditor {
  readonly #service: string;
  readonly #demands: readonly Demand[];
  readonly #drivers: readonly ConfigDriver[];
  readonly #guide: KeyGuide;
  readonly #mask: Mask;
  readonly #by: string;
  readonly #clock: Clock;
  readonly #random: Random;

  /**
   * @param demands what the service asks for
   * @param drivers its stores, the strongest last; the caller closes them
   */
  constructor(service: string, demands: readonly Demand[], drivers: readonly ConfigDriver[], options: EditorOptions) {
    this.#service = service;
    this.#demands = demands;
    this.#drivers = drivers;
    this.#guide = new KeyGuide(demands);
    this.#mask = new Mask(this.#guide);
    this.#by = options.by;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** What keys there are. */
  get guide(): KeyGuide {
    return this.#guide;
  }

  /** What a process that starts now would have. */
  async show(): Promise<SettingsView> {
    const now = this.#judge(await this.#read());
    const set = [...leafPaths(effectiveTree(now.layers))];
    return {
      values: [...this.#valuesOf(now).values()].map((value) => this.#mask.value(value)),
      strangers: set.filter((path) => !this.#guide.knows(path)).sort(),
      problems: now.problems(),
    };
  }

  /** What the stores change of what a process would have without them. */
  async showChanges(): Promise<readonly ValueChange[]> {
    const nothing = this.#drivers.map(() => ({ entries: new Map<string, string>() }));
    return this.#changesOf(this.#judge(nothing), this.#judge(await this.#read()));
  }

  /** What the edits would come to. */
  async propose(edits: Edits): Promise<Proposal> {
    return this.#propose(await this.#read(), (draft) => this.#edit(draft, edits)).proposal;
  }

  /** Writes the edits, all or none. @throws EditError where one is refused, or others are faster all the time */
  write(edits: Edits): Promise<Written> {
    return this.#write((draft) => this.#edit(draft, edits));
  }

  /** The changes that are kept, from the oldest on; one by {@link SOMEONE_ELSE} that is noticed only now is among them. */
  async history(): Promise<readonly Revision[]> {
    const { revisions } = this.#historyIn(await this.#read());
    return revisions.map((revision) => ({ ...revision, changes: this.#mask.texts(revision.changes) }));
  }

  /** What differs in the store from one revision to another. @param to @default as it is now */
  async compare(from: number, to?: number): Promise<ReadonlyMap<string, TextChange>> {
    const history = this.#historyIn(await this.#read());
    return this.#mask.texts(changesBetween(stateAfter(history, from), stateAfter(history, to ?? history.latest)));
  }

  /** What {@link rollback} would come to. */
  async proposeRollback(revision: number): Promise<Proposal> {
    const readings = await this.#read();
    return this.#propose(readings, (draft, history) => draft.restore(stateAfter(history, revision))).proposal;
  }

  /** Writes again what the store said after a revision, as a change like any other. @throws EditError as {@link write} does */
  rollback(revision: number): Promise<Written> {
    return this.#write((draft, history) => draft.restore(stateAfter(history, revision)));
  }

  get #target(): ConfigDriver {
    return this.#drivers.at(-1)!;
  }

  async #read(): Promise<readonly Reading[]> {
    const never = new AbortController().signal;
    return sentences(Promise.all(this.#drivers.map((driver) => driver.read(this.#service, undefined, never))));
  }

  #judge(readings: readonly Pick<Reading, 'entries'>[]): Acceptance {
    return acceptanceOf(
      this.#demands,
      this.#drivers.map(({ name }, index) => ({ name, entries: readings[index]!.entries })),
    );
  }

  #historyIn(readings: readonly Reading[]): History {
    const { entries } = readings.at(-1)!;
    return History.read(entries.get(HISTORY_PATH)).caughtUp(leavesOf(entries), this.#now());
  }

  #propose(readings: readonly Reading[], edit: (draft: Draft, history: History) => void) {
    const history = this.#historyIn(readings);
    const before = this.#judge(readings);
    const draft = new Draft(readings.at(-1)!.entries, effectiveTree(before.layers.slice(0, -1)));
    edit(draft, history);
    const said = draft.after();
    const after = this.#judge([...readings.slice(0, -1), draft]);
    const proposal: Proposal = {
      store: this.#target.name,
      values: this.#changesOf(before, after),
      texts: this.#mask.texts(changesBetween(draft.before, said)),
      refusals: draft.refusals.length > 0 ? draft.refusals : this.#refusals(before, after, draft),
    };
    return { proposal, draft, history: history.with(said, this.#now(), this.#by) };
  }

  async #write(edit: (draft: Draft, history: History) => void): Promise<Written> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      if (attempt > 0) await sleep(this.#clock, backoffDelay(attempt - 1, this.#random, { initialMs: 20, maxMs: 500 }));
      const readings = await this.#read();
      const { proposal, draft, history } = this.#propose(readings, edit);
      if (proposal.refusals.length > 0) throw new EditError(refusal('Nothing was written', proposal.refusals));
      if (proposal.texts.size === 0) return { ...proposal, revision: undefined };
      const writes = new Map([...draft.writes, [HISTORY_PATH, history.text] as const]);
      const { cursor } = readings.at(-1)!;
      if (await sentences(this.#target.write(this.#service, writes, cursor, new AbortController().signal))) {
        return { ...proposal, revision: history.latest };
      }
    }
    throw new EditError(`Nothing was written: others change ${this.#target.name} all the time; try again.`);
  }

  #edit(draft: Draft, edits: Edits): void {
    for (const [path, text] of [...edits].sort(([a], [b]) => (a < b ? -1 : 1))) {
      draft.set(path, text ?? (path === '' ? '{}' : NULL));
    }
    const isSet = (path: string) => [...draft.before.keys()].some((leaf) => isWithin(leaf, path));
    for (const [path, text] of draft.wanted) {
      // What is set although nobody asks for it can be taken back.
      if (!this.#guide.knows(path) && !(text === NULL && isSet(path))) {
        draft.refusals.push(this.#guide.strangerReason(path));
      }
    }
    const wanted = [...draft.wanted.keys()];
    for (const path of edits.keys()) {
      if (path === '' || this.#guide.knows(path) || wanted.some((leaf) => isWithin(leaf, path))) continue;
      draft.refusals.push(this.#guide.strangerReason(path));
    }
  }

  /** What would be wrong that is not wrong already, or not any better by the edit. */
  #refusals(before: Acceptance, after: Acceptance, draft: Draft): readonly string[] {
    const known = before.problems();
    const written = ({ path, layer }: Problem) => layer === this.#target.name && draft.writes.has(path);
    const worse = after.problems().filter((problem) => {
      return written(problem) || !known.some((one) => isDeepStrictEqual(one, problem));
    });
    return [...new Set(worse.map((problem) => this.#reasonOf(problem)))];
  }

  #reasonOf({ path, reason }: Problem): string {
    const key = /^[^\s:]+(?=: )/.exec(reason)?.[0] ?? path;
    const { meaning = '', range = '' } = this.#guide.factsOf(key) ?? {};
    const first = /^.*?(?=\.(?:\s|$)|$)/s.exec(meaning)?.[0] ?? '';
    const what = [first, range].filter((part) => part !== '').join('; ');
    const subject = reason.startsWith(key) ? reason : `${path === '' ? 'the document' : path} ${reason}`;
    return what === '' ? subject : `${subject}; it is: ${what}`;
  }

  #valuesOf(acceptance: Acceptance): ReadonlyMap<string, EffectiveValue> {
    return effectiveValues(acceptance, this.#guide);
  }

  #changesOf(before: Acceptance, after: Acceptance): readonly ValueChange[] {
    const [old, fresh] = [this.#valuesOf(before), this.#valuesOf(after)];
    const keys = [...new Set([...old.keys(), ...fresh.keys()])];
    return keys
      .filter((key) => !isDeepStrictEqual(old.get(key)?.value, fresh.get(key)?.value))
      .map((key) => ({ key, before: this.#mask.value(old.get(key)), after: this.#mask.value(fresh.get(key)) }));
  }

  #now(): string {
    return new Date(this.#clock.wallTime()).toISOString();
  }
}

function stateAfter(history: History, revision: number) {
  const state = history.stateAfter(revision);
  if (state) return state;
  const kept = history.latest === 0 ? 'nothing was changed yet' : `there are ${history.oldest} to ${history.latest}`;
  throw new EditError(`There is no revision ${revision}: ${kept}.`);
}

/** What a store says of itself is for the operator. */
async function sentences<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new EditError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
