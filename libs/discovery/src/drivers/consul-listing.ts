import type { Instance } from '../driver.js';

/** The instances of one answer, in the order of their ids, which are unique. */
export type Listing = readonly Instance[];

/** At position `at` of a listing, `removed` instances make room for `added`. */
export interface Splice {
  readonly at: number;
  readonly removed: number;
  readonly added: Listing;
}

/** What makes `after` of `before`, in the order of positions. An instance that differs in anything is removed and added. */
export function splicesBetween(before: Listing, after: Listing): Splice[] {
  const splices: Splice[] = [];
  const texts = { before: before.map((one) => JSON.stringify(one)), after: after.map((one) => JSON.stringify(one)) };
  let [old, next] = [0, 0];
  while (old < before.length || next < after.length) {
    if (texts.before[old] === texts.after[next]) {
      old++;
      next++;
      continue;
    }
    const [at, from] = [old, next];
    while ((old < before.length || next < after.length) && texts.before[old] !== texts.after[next]) {
      const [was, is] = [before[old]?.id, after[next]?.id];
      if (is === undefined || (was !== undefined && was <= is)) old++;
      if (was === undefined || (is !== undefined && is <= was)) next++;
    }
    splices.push({ at, removed: old - at, added: after.slice(from, next) });
  }
  return splices;
}

/** `before` with the splices made; every instance that they do not name stays the object that it was. */
export function spliced(before: Listing, splices: readonly Splice[]): Listing {
  if (splices.length === 0) return before;
  const pieces: Listing[] = [];
  let kept = 0;
  for (const { at, removed, added } of splices) {
    pieces.push(before.slice(kept, at), added);
    kept = at + removed;
  }
  // Not `flat`, which is ten times slower.
  return ([] as Listing).concat(...pieces, before.slice(kept));
}
