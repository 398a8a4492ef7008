import { seededRandom } from '@holdfast/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Candidates } from './candidates.js';
import { Member } from './member.js';
import { balancerNames, pickerNamed, type Draw } from './picker.js';
import { Score } from './score.js';
import { SlowStart } from './slow-start.js';

const peersWith = (inFlight: readonly number[]) =>
  inFlight.reduce((candidates, count, n) => {
    candidates.add(Object.assign(new Member(`peer-${n}`, {}), { inFlight: count }));
    return candidates;
  }, new Candidates());
const slowStart = new SlowStart(seededRandom(1));
const draw: Draw = { now: 0, hashKey: undefined, redraws: 0, running: 0, score: new Score(), slowStart };
const sharesOf = (name: Parameters<typeof pickerNamed>[0], inFlight: readonly number[], picks = 30_000) => {
  const peers = peersWith(inFlight);
  const pick = pickerNamed(name, seededRandom(42));
  const counts = new Map(peers.members.map((peer) => [peer, 0]));
  for (let n = 0; n < picks; n++) {
    const peer = pick(peers, draw);
    counts.set(peer, counts.get(peer)! + 1);
  }
  return [...counts.values()].map((count) => count / picks);
};

describe('pickers', () => {
  it.each(balancerNames)('%s always picks one of the peers, whatever list it had before', (name) => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 9 }), { minLength: 1 }),
        (seed, lists) => {
          const pick = pickerNamed(name, seededRandom(seed));
          for (const list of lists.map(peersWith)) expect(list.members).toContain(pick(list, draw));
        },
      ),
    );
  });

  it('round_robin gives each the same share exactly', () => {
    expect(sharesOf('round_robin', [9, 0, 4])).toEqual([1 / 3, 1 / 3, 1 / 3]);
  });

  it('round_robin does not start all callers with the same peer', () => {
    const peers = peersWith([0, 0, 0]);
    const first = new Set(
      Array.from({ length: 50 }, (_, seed) => pickerNamed('round_robin', seededRandom(seed))(peers, draw)),
    );
    expect(first.size).toBe(3);
  });

  it('random gives each about the same share', () => {
    for (const share of sharesOf('random', [9, 0, 4])) expect(share).toBeCloseTo(1 / 3, 1);
  });

  it('least_request never picks the busiest of more than one, and favours the idle', () => {
    const [busiest, idle, middle] = sharesOf('least_request', [9, 0, 4]) as [number, number, number];
    expect(busiest).toBe(0);
    expect(idle).toBeCloseTo(2 / 3, 1);
    expect(middle).toBeCloseTo(1 / 3, 1);
  });

  it('least_request spreads evenly where all are equally busy', () => {
    for (const share of sharesOf('least_request', [3, 3, 3, 3])) expect(share).toBeCloseTo(1 / 4, 1);
  });
});
