import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Instance } from './driver.js';
import { addressOf, byId, isUsable, sameInstances } from './instances.js';
import { Roster } from './roster.js';

const user = (id: string, port: number, fields: Partial<Instance> = {}): Instance => ({
  id,
  service: 'users',
  host: '127.0.0.1',
  port,
  protocol: 'grpc',
  ...fields,
});

/** What a roster should hold, made anew of one answer. */
function usable(answer: readonly Instance[]): readonly Instance[] {
  const sorted = answer.filter((instance) => isUsable(instance, 'users')).toSorted(byId);
  return [...new Map(sorted.map((instance) => [addressOf(instance), instance])).values()].toSorted(byId);
}

describe('Roster', () => {
  it('leaves out what cannot be called, and of several at one address all but the last', () => {
    const roster = new Roster('users');
    roster.take([
      user('d', 4),
      user('b', 0),
      user('b', 70_000),
      user('b', 1.5),
      user('c', 3, { host: '' }),
      user('', 3),
      user('e', 5, { service: 'orders' }),
      user('a', 4),
    ]);
    expect(roster.instances).toEqual([user('d', 4)]);
    expect(roster.has('127.0.0.1:4')).toBe(true);
    expect(roster.has('127.0.0.1:5')).toBe(false);
  });

  it('says who has gone, and keeps an address that another has taken', () => {
    const roster = new Roster('users');
    roster.take([user('a', 1), user('b', 2), user('c', 3)]);
    expect(roster.take([user('z', 1), user('c', 3)])).toEqual([user('b', 2)]);
    expect(roster.instances).toEqual([user('c', 3), user('z', 1)]);
  });

  it('is the same array where nothing has changed, and keeps the object of what is equal', () => {
    const roster = new Roster('users');
    roster.take([user('a', 1), user('b', 2, { metadata: { colour: 'blue' } })]);
    const before = roster.instances;
    roster.take([user('b', 2, { metadata: { colour: 'blue' } }), user('a', 1)]);
    expect(roster.instances).toBe(before);
    roster.take([user('a', 1), user('b', 2)]);
    expect(roster.instances).not.toBe(before);
    expect(roster.instances[0]).toBe(before[0]);
  });

  it('holds after any answers what the last of them alone would give', () => {
    const instance = fc
      .record({
        id: fc.constantFrom('a', 'b', 'c', 'd', ''),
        port: fc.constantFrom(1, 2, 3, 0),
        weight: fc.constantFrom(1, 2),
        service: fc.constantFrom('users', 'users', 'users', 'orders'),
      })
      // Whoever has the same id and address is the same, so that no two entries contradict each other.
      .map(({ id, port, service }) => user(id, port, { service, weight: (id.charCodeAt(0) || 0) + port }));
    fc.assert(
      fc.property(fc.array(fc.array(instance, { maxLength: 12 }), { maxLength: 6 }), fc.gen(), (answers, gen) => {
        const roster = new Roster('users');
        let last: readonly Instance[] = [];
        for (const answer of answers) {
          // Some of the objects stay the same from answer to answer.
          last = [...last.filter(() => gen(fc.boolean)), ...answer];
          const before = roster.instances;
          const dropped = roster.take(last);
          expect(sameInstances(roster.instances, usable(last))).toBe(true);
          expect(dropped.map(addressOf).toSorted()).toEqual(
            before
              .map(addressOf)
              .filter((address) => !roster.has(address))
              .toSorted(),
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});
