import { Acceptance, type Problem } from './acceptance.js';
import type { Demand } from './claim.js';

/** What one store says for a service: its name in a sentence, and its texts by path, as a driver reads them. */
export interface LayerTexts {
  readonly name: string;
  readonly entries: ReadonlyMap<string, string>;
}

/** What a process would make of some texts. */
export interface Judgement {
  /** The value of each demand, by its key. */
  readonly values: ReadonlyMap<string, unknown>;
  /** Entries that it would refuse, and why. */
  readonly problems: readonly Problem[];
  /** Keys that are set although nobody asks for them, joined by dots. */
  readonly unclaimed: readonly string[];
}

/**
 * What a process that asks for `demands`, and that starts with `layers` (a later one wins), would make of them. It needs neither
 * a store nor a clock: this is how a tool checks texts before it writes them.
 * @throws StartupError where a demand has no usable default
 */
export function judge(demands: Iterable<Demand>, layers: readonly LayerTexts[]): Judgement {
  const acceptance = acceptanceOf(demands, layers);
  return {
    values: new Map([...acceptance.claims].map((claim) => [claim.key, claim.live.value])),
    problems: acceptance.problems(),
    unclaimed: acceptance.unclaimed(),
  };
}

/** The acceptance of a process that asks for `demands` and has just started with `layers`. @throws StartupError as {@link judge} */
export function acceptanceOf(demands: Iterable<Demand>, layers: readonly LayerTexts[]): Acceptance {
  const acceptance = new Acceptance(layers.map(({ name }) => name));
  for (const demand of demands) acceptance.claim(demand);
  for (const [index, { entries }] of layers.entries()) acceptance.offer(acceptance.layers[index]!, entries);
  acceptance.publish();
  return acceptance;
}
