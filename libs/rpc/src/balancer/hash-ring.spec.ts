import { describe, expect, it } from 'vitest';
import { HashRing } from './hash-ring.js';
import { Member } from './member.js';

const membersOf = (count: number) => Array.from({ length: count }, (_, n) => new Member(`10.0.0.${n}:80`, {}));
const keys = Array.from({ length: 20_000 }, (_, n) => `user-${n}`);

describe('HashRing', () => {
  it('gives each member about the same number of keys', () => {
    const members = membersOf(20);
    const ring = new HashRing(members);
    const counts = new Map(members.map((member) => [member, 0]));
    for (const key of keys) {
      const member = ring.at(key, 0, 0);
      counts.set(member, counts.get(member)! + 1);
    }
    expect(Math.max(...counts.values())).toBeLessThan((1.2 * keys.length) / 20);
    expect(Math.min(...counts.values())).toBeGreaterThan((0.4 * keys.length) / 20);
  });

  it('moves only the keys of a member that leaves, and only to one that comes', () => {
    const members = membersOf(20);
    const [all, without] = [new HashRing(members), new HashRing(members.slice(1))];
    const moved = keys.filter((key) => without.at(key, 0, 0) !== all.at(key, 0, 0));
    expect(moved.length).toBeGreaterThan(0);
    expect(new Set(moved.map((key) => all.at(key, 0, 0)))).toEqual(new Set([members[0]]));
  });

  it('passes on what would load one with more than a quarter above the average, and only as long', () => {
    const members = membersOf(10);
    const ring = new HashRing(members);
    const home = ring.at('hot', 0, 100);
    home.inFlight = 13;
    const other = ring.at('hot', 0, 100);
    expect(other).not.toBe(home);
    expect(ring.at('hot', 0, 100)).toBe(other);
    home.inFlight = 12;
    expect(ring.at('hot', 0, 100)).toBe(home);
  });

  it('has another place for each further attempt', () => {
    const ring = new HashRing(membersOf(4));
    expect(new Set([0, 1, 2, 3].map((further) => ring.at('key', further, 0))).size).toBe(4);
  });
});
