import type { Problem } from './acceptance.js';
import type { EffectiveValue } from './effective.js';
import type { KeyGuide } from './key-facts.js';
import { NULL, type TextChange } from './leaves.js';

/** How a value that is in use changes; undefined where there is none. */
export interface ValueChange {
  readonly key: string;
  readonly before: EffectiveValue | undefined;
  readonly after: EffectiveValue | undefined;
}

/** What an edit comes to. Secrets are masked in it. */
export interface Proposal {
  /** The name of the store that is written to. */
  readonly store: string;
  /** What changes for a process. */
  readonly values: readonly ValueChange[];
  /** What changes in the store; nothing is written where nothing does. */
  readonly texts: ReadonlyMap<string, TextChange>;
  /** Why it cannot be written, as sentences without a full stop. */
  readonly refusals: readonly string[];
}

/** What was done: the proposal, and its revision; undefined where there was nothing to write. */
export interface Written extends Proposal {
  readonly revision: number | undefined;
}

/** How it stands with the settings of a service. Secrets are masked in it. */
export interface SettingsView {
  readonly values: readonly EffectiveValue[];
  /** Keys that a store says and nobody asks for. */
  readonly strangers: readonly string[];
  /** What the stores say and cannot be used. */
  readonly problems: readonly Problem[];
}

/** Shown in place of a secret. */
export const SECRET = '•••';

/** Keeps secrets from what is shown. A value of which nobody knows what it is counts as one. */
export class Mask {
  readonly #guide: KeyGuide;

  constructor(guide: KeyGuide) {
    this.#guide = guide;
  }

  value<V extends EffectiveValue | undefined>(value: V): V {
    return value && this.#guide.hides(value.key) ? { ...value, value: SECRET } : value;
  }

  texts(changes: ReadonlyMap<string, TextChange>): ReadonlyMap<string, TextChange> {
    const masked = (path: string, text: string | undefined) =>
      text !== undefined && text !== NULL && this.#guide.hides(path) ? SECRET : text;
    return new Map(
      [...changes].map(([path, { before, after }]) => {
        return [path, { before: masked(path, before), after: masked(path, after) }];
      }),
    );
  }
}

/** Reasons as one sentence: `Nothing was written: there is no key x; did you mean y?` */
export function refusal(what: string, reasons: readonly string[]): string {
  const sentence = `${what}: ${reasons.join('; ')}`;
  return sentence.endsWith('?') ? sentence : `${sentence}.`;
}
