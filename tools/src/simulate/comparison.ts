import { models } from './models.js';
import { oursNamed } from './ours.js';
import type { Scenario } from './scenario.js';
import { simulate, type Result } from './simulation.js';

export const ours = oursNamed('p2c_ewma');
export const contenders = [ours, ...models];

/** All contenders in one scenario, ours first. */
export interface Comparison {
  readonly scenario: Scenario;
  readonly results: readonly Result[];
}

/** Where ours is further than 5 % from the best. */
export interface Miss {
  readonly scenario: string;
  readonly column: 'p99' | 'failures';
  readonly ours: number;
  readonly best: number;
  readonly by: string;
}

/** A share of failures below this one is as good as none. */
const AS_GOOD_AS_NONE = 0.0001;

export function compare(scenario: Scenario, seed: number): Comparison {
  return { scenario, results: contenders.map((contender) => simulate(scenario, contender, seed)) };
}

/** The rows in which ours is not at or within 5 % of the best. */
export function missesOf({ scenario, results }: Comparison): readonly Miss[] {
  const [own] = results as [Result];
  const best = (of: (result: Result) => number) => results.reduce((a, b) => (of(b) < of(a) ? b : a));
  const quickest = best(({ p99Ms }) => p99Ms);
  const safest = best(({ failures }) => failures);
  const misses: Miss[] = [];
  if (own.p99Ms > 1.05 * quickest.p99Ms) {
    misses.push({
      scenario: scenario.name,
      column: 'p99',
      ours: own.p99Ms,
      best: quickest.p99Ms,
      by: quickest.contender,
    });
  }
  if (own.failures > 1.05 * safest.failures + AS_GOOD_AS_NONE) {
    misses.push({
      scenario: scenario.name,
      column: 'failures',
      ours: own.failures,
      best: safest.failures,
      by: safest.contender,
    });
  }
  return misses;
}
