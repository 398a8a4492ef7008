import { Claim, type Demand } from './claim.js';
import { Claims } from './claims.js';
import { isReserved, parseEntry, type Entry } from './entry.js';
import { authorOf, effectiveTree, Layer, subtreesAt, type Entries, type Refusal } from './layer.js';
import { leafPaths, sameTree, type Tree } from './tree.js';

/** Something that a store says and that is not in use. */
export interface Problem {
  /** The entry that says it; `''` is the service's document. */
  readonly path: string;
  readonly layer: string;
  /** The key, and what is expected of it; never the value that was found. */
  readonly reason: string;
}

/** What has changed: the keys, and those to be told. */
export interface Publication {
  readonly changed: readonly string[];
  readonly tell: readonly (() => void)[];
}

/** How much is tried to tell good entries from bad ones of the same reading, in entries looked at: some 100 ms. */
const MOST_WORK = 500_000;
const DELETED =
  'was deleted, so what it said last stays in use; write null, or {} as the document, to go back to the default';

/**
 * Decides what of the stores' texts is in use. It is always a state in which every claim decodes: changes are taken together
 * if they can be, else as many as can; a text that cannot be is refused whole, and what was in use at its path stays.
 */
export class Acceptance {
  readonly layers: readonly Layer[];
  readonly #claims = new Claims();
  readonly #staged = new Map<Claim, unknown>();
  readonly #news: Problem[] = [];
  #settled = false;
  #work = 0;

  constructor(names: readonly string[]) {
    this.layers = names.map((name) => new Layer(name));
  }

  get claims(): Claims {
    return this.#claims;
  }

  /**
   * From now on a new claim that cannot have what is in use gets what its code says. Until then such a claim shows that
   * the entry was never good, and nobody keeps any of it.
   */
  settle(): void {
    this.#settled = true;
    for (const layer of this.layers) layer.fallback.clear();
  }

  /** Adds a claim. @throws StartupError where it has no usable default */
  claim(demand: Demand): Claim {
    const claim = new Claim(demand);
    this.#claims.add(claim);
    // The new one takes its place out of those above it.
    this.#revise([...this.#claims.touchedBy([claim.key])].filter(({ key }) => claim.key.startsWith(key)));
    return claim;
  }

  /** Judges a reading of a layer: all that the store has there now. */
  offer(layer: Layer, texts: ReadonlyMap<string, string>): void {
    this.#work = 0;
    const before = new Map(layer.refused);
    layer.refused.clear();
    const changed = [...texts.keys()].filter((path) => !isReserved(path)).sort();
    const refused = this.#admit(layer, changed, texts, before);
    for (const path of layer.paths) {
      if (texts.has(path)) continue;
      // What nobody asks for needs no last good text.
      if (this.#settled && this.#claims.touchedBy([path]).size === 0) layer.remove(path);
      else layer.refused.set(path, { text: undefined, reason: DELETED });
    }
    this.#standIn(
      layer,
      refused.flatMap((path) => (layer.get(path) ? [] : (layer.fallback.get(path) ?? []))),
    );
    for (const [path, { text, reason }] of layer.refused) {
      const known = before.get(path);
      if (!known || known.text !== text) this.#news.push({ path, layer: layer.name, reason });
    }
  }

  /** Takes what the layer had in an earlier life of the process, as far as it is still good. */
  offerFallback(layer: Layer): void {
    const texts = new Map([...layer.fallback.values()].map(({ path, text }) => [path, text]));
    layer.fallback.clear();
    this.offer(layer, texts);
  }

  /** Puts all values in place that the last steps changed, and says whose changed; each `tell`, when called, tells one listener. */
  publish(): Publication {
    const staged = [...this.#staged];
    this.#staged.clear();
    const told = staged.map(([claim, value]) => ({ key: claim.key, tell: claim.assign(value) }));
    const changed = told.filter(({ tell }) => tell !== undefined).map(({ key }) => key);
    return { changed, tell: told.flatMap(({ tell }) => tell ?? []) };
  }

  /** The problems that came up since the last call: each text that is refused is among them once, however often it is read. */
  takeNews(): readonly Problem[] {
    return this.#news.splice(0);
  }

  /** Everything that is not in use, in the order of the layers. */
  problems(): readonly Problem[] {
    const ofLayers = this.layers.flatMap((layer) =>
      [...layer.refused].map(([path, { reason }]) => ({ path, layer: layer.name, reason })),
    );
    const ofClaims = [...this.#claims].flatMap(({ keys, reason }) => {
      return reason === undefined ? [] : [this.#problemOf(keys, reason)];
    });
    return [...ofLayers, ...ofClaims];
  }

  /** Keys that are set and that nobody asks for. */
  unclaimed(): readonly string[] {
    return [...leafPaths(effectiveTree(this.layers))].filter((path) => !this.#claims.claimed(path)).sort();
  }

  /** Takes what an earlier life of the process had in place of what is refused now. */
  #standIn(layer: Layer, lastGood: readonly Entry[]): void {
    const refused = [...layer.refused];
    this.#accept(layer, lastGood);
    for (const [path, refusal] of refused) layer.refused.set(path, refusal);
  }

  /** Reads and takes the texts that differ from those in use. Gives the paths of those that were refused. */
  #admit(
    layer: Layer,
    paths: readonly string[],
    texts: ReadonlyMap<string, string>,
    before: ReadonlyMap<string, Refusal>,
  ): readonly string[] {
    const changed: Entry[] = [];
    for (const path of paths) {
      const text = texts.get(path)!;
      if (layer.get(path)?.text === text) continue;
      const known = before.get(path);
      if (known?.unreadable && known.text === text) {
        layer.refused.set(path, known);
        continue;
      }
      const parsed = parseEntry(path, text);
      if ('entry' in parsed) changed.push(parsed.entry);
      else layer.refused.set(path, { text, reason: parsed.reason, unreadable: true });
    }
    this.#accept(layer, changed);
    return [...layer.refused.keys()];
  }

  /** Takes of `entries` what can be taken; a pass that takes something makes it worth trying the others again. */
  #accept(layer: Layer, entries: readonly Entry[]): void {
    let left = entries;
    for (let before = Infinity; left.length > 0 && left.length < before;) {
      before = left.length;
      left = this.#halve(layer, left);
    }
  }

  /** Takes all, or else each half by itself, down to single entries; gives those that it had to refuse. */
  #halve(layer: Layer, entries: readonly Entry[]): readonly Entry[] {
    const reason =
      this.#work > MOST_WORK ? 'was not tried, since too much beside it is wrong' : this.#try(layer, entries);
    if (reason === undefined) {
      for (const { path } of entries) layer.refused.delete(path);
      return [];
    }
    if (entries.length === 1 || this.#work > MOST_WORK) {
      for (const { path, text } of entries) layer.refused.set(path, { text, reason });
      return entries;
    }
    const middle = entries.length >> 1;
    return [...this.#halve(layer, entries.slice(0, middle)), ...this.#halve(layer, entries.slice(middle))];
  }

  /** Takes all of `entries` if every claim can have what they say; else nothing, and it gives the reason. */
  #try(layer: Layer, entries: readonly Entry[]): string | undefined {
    const candidate = layer.with(entries);
    const layers = this.layers.map((other) => (other === layer ? candidate : other));
    const decoded: { claim: Claim; said: readonly (Tree | undefined)[]; value: unknown }[] = [];
    for (const claim of this.#claims.touchedBy(entries.map(({ path }) => path))) {
      this.#work += 1 + candidate.below(claim.key).length;
      const said = this.#saidOf(claim, layers);
      if (said.every((tree, index) => sameTree(tree, claim.said[index]))) continue;
      const result = claim.decodeAll(said);
      if ('reason' in result) return result.reason;
      decoded.push({ claim, said, value: result.value });
    }
    layer.accept(entries);
    for (const { claim, said, value } of decoded) this.#stage(claim, said, value);
    return undefined;
  }

  #stage(claim: Claim, said: readonly (Tree | undefined)[], value: unknown, reason?: string): void {
    claim.said = said;
    claim.reason = reason;
    this.#staged.set(claim, value);
  }

  #problemOf(keys: readonly string[], reason: string): Problem {
    const author = authorOf(this.layers, keys);
    return { path: author?.entry.path ?? '', layer: author?.layer.name ?? '', reason };
  }

  #saidOf(claim: Claim, layers: readonly Entries[]): readonly (Tree | undefined)[] {
    return subtreesAt(layers, claim.key, claim.keys).map((tree) => this.#claims.own(claim, tree));
  }

  /** Decodes claims anew. One that cannot be shows, before all is settled, that an entry was never good. */
  #revise(claims: readonly Claim[]): void {
    const pending = new Set(claims);
    for (const claim of pending) {
      pending.delete(claim);
      const said = this.#saidOf(claim, this.layers);
      const result = claim.decodeAll(said);
      if (!('reason' in result)) {
        this.#stage(claim, said, result.value);
        continue;
      }
      const layers = this.layers.slice(0, result.layer + 1);
      const author = authorOf(layers, result.at) ?? authorOf(layers, claim.keys);
      if (this.#settled || !author) {
        const whole = claim.decode(said.at(-1));
        this.#stage(claim, said, 'reason' in whole ? claim.live.value : whole.value, result.reason);
        this.#news.push(this.#problemOf(claim.keys, result.reason));
        continue;
      }
      this.#expel(author.layer, author.entry, result.reason);
      for (const touched of this.#claims.touchedBy([author.entry.path])) pending.add(touched);
      pending.add(claim);
    }
  }

  /** Puts what was in use in an earlier life of the process, or nothing, in the place of an entry. */
  #expel(layer: Layer, { path, text }: Entry, reason: string): void {
    layer.refused.set(path, { text, reason });
    this.#news.push({ path, layer: layer.name, reason });
    const lastGood = layer.fallback.get(path);
    layer.fallback.delete(path);
    if (lastGood) layer.accept([lastGood]);
    else layer.remove(path);
  }
}
