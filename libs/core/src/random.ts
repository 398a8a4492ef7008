/** A source of uniform numbers in [0, 1), as `Math.random`. Injected, so that one seed gives one run. */
export type Random = () => number;

/**
 * A small seeded generator for specs, simulations and seeded loads; not for secrets.
 * Algorithm: SplitMix32 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), 32-bit variant.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 2 ** 32;
  };
}
