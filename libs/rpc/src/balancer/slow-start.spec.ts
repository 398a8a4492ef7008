import { seededRandom } from '@holdfast/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Member } from './member.js';
import { SlowStart } from './slow-start.js';

const gaps = (draws: readonly boolean[]) => {
  const places = draws.flatMap((admitted, place) => (admitted ? [place] : []));
  return places.slice(1).map((place, index) => place - places[index]!);
};

describe('SlowStart', () => {
  const now = 100_000;
  let slowStart: SlowStart;

  const aged = (ageMs: number, seed = 1) => {
    slowStart = new SlowStart(seededRandom(seed));
    slowStart.servingSince = 0;
    const member = new Member('m', {});
    member.enter(now - ageMs);
    return member;
  };
  const drawsOf = (member: Member, rivals: number, draws = 1_000) =>
    Array.from({ length: draws }, () => slowStart.admits(member, rivals, now));
  const share = (member: Member, rivals: number) => drawsOf(member, rivals).filter(Boolean).length / 1_000;

  beforeEach(() => {
    slowStart = new SlowStart(seededRandom(1));
  });

  it.each([
    { age: 1_000, rivals: 2, part: 0.05 },
    { age: 5_000, rivals: 2, part: 0.25 },
    { age: 5_000, rivals: 5, part: 0.1 },
    { age: 0, rivals: 2, part: 0.002 },
  ])('lets one of $age ms take part in $part of the draws among $rivals', ({ age, rivals, part }) => {
    expect(share(aged(age), rivals)).toBeCloseTo(part, 2);
  });

  it('lets one of 10 s take part in all', () => {
    expect(share(aged(10_000), 5)).toBe(1);
  });

  it('spreads the draws evenly, and begins elsewhere with each caller', () => {
    for (const gap of gaps(drawsOf(aged(1_000), 2))) expect(Math.abs(gap - 20)).toBeLessThanOrEqual(1);
    const firsts = [1, 2, 3, 4, 5, 6].map((seed) => drawsOf(aged(1_000, seed), 2).indexOf(true));
    expect(new Set(firsts).size).toBeGreaterThan(3);
  });

  it('counts ages from the start of the others where those are young', () => {
    const member = aged(2_000);
    slowStart.servingSince = now - 4_000;
    expect(share(member, 2)).toBeCloseTo((2 / 4) * (1 - 0.2 * 0.5), 2);
    slowStart.servingSince = now - 2_900;
    expect(share(member, 2)).toBe(1);
  });
});
