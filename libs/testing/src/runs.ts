/**
 * How often a property is tried: `usual` times, or the share of it that the variable PROPERTY_RUNS says. For mutation
 * testing, where every run is paid for once for each mutant.
 */
export function runs(usual: number): number {
  return Math.ceil(usual * Number(process.env['PROPERTY_RUNS'] ?? 1));
}
