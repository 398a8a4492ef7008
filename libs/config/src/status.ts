import type { Problem } from './acceptance.js';

/** How it stands with one store. */
export interface LayerStatus {
  /** What the store is called in a sentence. */
  readonly name: string;
  /** unknown: it has neither answered nor failed yet */
  readonly contact: 'unknown' | 'up' | 'down';
  /** Since when, on the wall clock, in milliseconds since the epoch. */
  readonly since: number;
  /** Why it is down, as one sentence. */
  readonly reason?: string;
  /** Where its texts are from. none: there are none yet · snapshot: kept on disk from an earlier start */
  readonly origin: 'none' | 'snapshot' | 'store';
  /** The store's own name for what was read last: a revision, an index or a digest. */
  readonly cursor?: string;
  /** The last change that was made with its history beside it; undefined without any. Who edits by hand leaves none. */
  readonly revision?: { readonly revision: number; readonly at: string; readonly by: string };
}

/** How it stands with the settings of this process. */
export interface ConfigStatus {
  /** In the order of precedence, the strongest last. */
  readonly layers: readonly LayerStatus[];
  /** What the stores say and what is not in use. */
  readonly problems: readonly Problem[];
  /** Keys that are set and that nothing in this process asks for; empty until {@link Config.settled}. */
  readonly unclaimed: readonly string[];
  /** Whether a store does not answer, or says what cannot be used. The process serves on with what it has. */
  readonly degraded: boolean;
}

/** A problem as a sentence for the log. */
export function sentenceOf({ path, layer, reason }: Problem): string {
  return `${path === '' ? 'The document' : path} of ${layer} is not in use: ${reason}.`;
}

/** Names some of many. */
export function someOf(names: readonly string[], most = 20): string {
  const rest = names.length - most;
  return names.slice(0, most).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
