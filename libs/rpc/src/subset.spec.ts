import type { Instance } from '@holdfast/discovery';
import { describe, expect, it } from 'vitest';
import { Subset, type SubsetOptions } from './subset.js';

const instance = (n: number, zone?: string): Instance => ({
  id: `i${n}`,
  service: 'users',
  host: `10.0.${n >> 8}.${n & 255}`,
  port: 80,
  protocol: 'grpc',
  ...(zone !== undefined && { zone }),
});
const fleet = (count: number, zones: readonly string[] = []) =>
  Array.from({ length: count }, (_, n) => instance(n, zones[n % zones.length]));

const subsetOf = (instances: readonly Instance[], { limit, ...options }: SubsetOptions & { limit: number }) =>
  new Subset(options).of(instances, limit);

describe('Subset', () => {
  it('is all of a fleet that is not above the limit', () => {
    const all = fleet(100);
    expect(subsetOf(all, { key: 'a', limit: 100 })).toBe(all);
  });

  it('loads all instances about alike, over many processes', () => {
    const counts = new Map<string, number>();
    for (let process = 0; process < 400; process++) {
      for (const { id } of subsetOf(fleet(500), { key: `p${process}`, limit: 50 })) {
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
    expect(counts.size).toBe(500);
    // 40 each on average; the spread is that of independent choices.
    expect(Math.max(...counts.values())).toBeLessThan(65);
    expect(Math.min(...counts.values())).toBeGreaterThan(18);
  });

  it('changes by one place where one instance comes or goes, in whatever order they are listed', () => {
    const options = { key: 'a', limit: 50 };
    const before = new Set(subsetOf(fleet(500), options).map(({ id }) => id));
    const after = subsetOf(fleet(501).toReversed(), options).map(({ id }) => id);
    expect(after.filter((id) => !before.has(id)).length).toBeLessThanOrEqual(1);
  });

  it('has mostly the own zone, and enough of the others', () => {
    const all = fleet(600, ['a', 'b', 'c']);
    const zones = subsetOf(all, { key: 'p', limit: 100, zone: 'a' }).map(({ zone }) => zone);
    expect(zones.filter((zone) => zone === 'a')).toHaveLength(70);
    expect(zones).toHaveLength(100);
    const small = subsetOf([...fleet(5, ['a']), ...fleet(300, ['b'])], { key: 'p', limit: 100, zone: 'a' });
    expect(small.filter(({ zone }) => zone === 'a')).toHaveLength(5);
    const lonely = subsetOf([...fleet(300, ['a']), ...fleet(3, ['b'])], { key: 'p', limit: 100, zone: 'a' });
    expect(lonely).toHaveLength(100);
  });
});
