import { describe, expect, it } from 'vitest';
import type { Changes, ConfigDriver } from '../driver.js';
import { holds, never, now, set, settingsOf, update } from './contract-reading.js';
import type { ConfigDriverTraits } from './driver-contract.js';

const changesOf = (changes: Readonly<Record<string, string | undefined>>): Changes => new Map(Object.entries(changes));

/** The part of the contract that is about writing, and that what was written is read back; within the suite of the whole. */
export function describeWriting(
  { oneDocument = false }: ConfigDriverTraits,
  driver: () => Promise<ConfigDriver>,
): void {
  describe('that is written to', () => {
    it('gives back a document and single entries to everybody', async () => {
      const [one, two] = [await driver(), await driver()];
      await set(one, 'users', {
        '': '# numbers\ngreeting:\n  template: Hello\n  size: 3\nlist: [1, two, { three: 3 }]\n',
      });
      await set(one, 'users', {
        'greeting.template': '"Hi: there"',
        'log.level': 'debug',
        'rpc.orders': '{ balancer: p2c }',
      });
      const settings = {
        greeting: { template: 'Hi: there', size: 3 },
        list: [1, 'two', { three: 3 }],
        log: { level: 'debug' },
        rpc: { orders: { balancer: 'p2c' } },
      };
      for (const reader of [one, two]) expect(settingsOf(await now(reader, 'users'))).toEqual(settings);
    });

    it.skipIf(oneDocument)('gives texts back as they were written', async () => {
      const [one, two] = [await driver(), await driver()];
      const texts = {
        '': '# comment\n\ta: [broken\r\n  ünicode 漢字 🚀\n',
        'a.b': ' spaced ',
        'a.c': '',
        'a.d': '{"x": 1}\n',
      };
      await set(one, 'users', texts);
      expect(Object.fromEntries((await now(two, 'users')).entries)).toEqual(texts);
    });

    it('shows a single entry in what the document says, and takes it out again', async () => {
      const one = await driver();
      await set(one, 'users', { '': 'a: { b: 1, c: 1 }\nd: 4\n' });
      await set(one, 'users', { 'a.b': '2', 'e.f.g': 'new' });
      expect(settingsOf(await now(one, 'users'))).toEqual({ a: { b: 2, c: 1 }, d: 4, e: { f: { g: 'new' } } });
      await set(one, 'users', { 'a.b': 'null', 'e.f.g': undefined });
      expect(settingsOf(await now(one, 'users'))).toMatchObject({ a: { c: 1 }, d: 4 });
      expect(settingsOf(await now(one, 'users'))).not.toMatchObject({ a: { b: expect.anything() as unknown } });
    });

    it.each([
      ['dots', 'resilience.users.get.timeout'],
      ['a slash', 'routes./users/:id.limit'],
      ['what a URL would encode', 'odd.100% a+b?c=d&e#f'],
      ['letters of other scripts', 'größe.漢字.🚀'],
      ['names that objects have', 'constructor.toString'],
    ])('keeps a path with %s', async (_, path) => {
      const [one, two] = [await driver(), await driver()];
      await set(one, 'users', { [path]: '7' });
      const expected = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), 7);
      expect(settingsOf(await now(two, 'users'))).toEqual(expected);
      await set(two, 'users', { [path]: undefined });
      const left = JSON.stringify(settingsOf(await now(one, 'users')));
      expect(left).not.toContain('7');
    });

    it('keeps what the platform wrote for itself, to the letter', async () => {
      const [one, two] = [await driver(), await driver()];
      const history = '[{"at": "2026-01-01T00:00:00Z", "changes": {"a": "1\\n"}}]\n  ';
      const before = await now(one, 'users');
      expect(await one.write('users', changesOf({ '.history': history, a: '1' }), before.cursor, never())).toBe(true);
      const reading = await now(two, 'users');
      expect(reading.entries.get('.history')).toBe(history);
      expect(settingsOf(reading)).toEqual({ a: 1 });
      expect((await now(two, 'orders')).entries.has('.history')).toBe(false);
      await set(two, 'users', { '.history': undefined });
      expect((await now(one, 'users')).entries.has('.history')).toBe(false);
    });

    it('writes nothing on a cursor that is old: after a change, a new entry, a deletion', async () => {
      const [one, two] = [await driver(), await driver()];
      await set(one, 'users', { '': 'a: 1', b: '1', c: '1' });
      for (const foreign of [{ b: '2' }, { d: '1' }, { c: undefined }, { '': undefined }, { '': 'a: 3' }]) {
        const old = await now(one, 'users');
        await set(two, 'users', foreign);
        const before = await now(one, 'users');
        expect(await one.write('users', changesOf({ b: 'lost', z: 'lost' }), old.cursor, never())).toBe(false);
        const after = await now(one, 'users');
        expect([...after.entries]).toEqual([...before.entries]);
        expect(await one.write('users', changesOf({ e: '5' }), after.cursor, never())).toBe(true);
      }
    });

    it('minds no change of another service', async () => {
      const [one, two] = [await driver(), await driver()];
      await set(one, 'user', { '': 'a: 1' });
      const { cursor } = await now(one, 'user');
      await set(two, 'user-service', { '': 'b: 1' });
      expect(await one.write('user', changesOf({ '': 'a: 2' }), cursor, never())).toBe(true);
      expect(settingsOf(await now(two, 'user'))).toEqual({ a: 2 });
      expect(settingsOf(await now(two, 'user-service'))).toEqual({ b: 1 });
    });

    it('lets exactly one of many writers win that have read the same', async () => {
      const drivers = [await driver(), await driver(), await driver()];
      for (const round of [100, 200]) {
        const readings = await Promise.all(drivers.map((one) => now(one, 'users')));
        const wins = await Promise.all(
          Array.from({ length: 12 }, (_, n) =>
            drivers[n % 3]!.write('users', changesOf({ '': `n: ${round + n}` }), readings[n % 3]!.cursor, never()),
          ),
        );
        expect(wins.filter(Boolean)).toHaveLength(1);
        expect(settingsOf(await now(drivers[0]!, 'users'))).toEqual({ n: round + wins.indexOf(true) });
      }
    });

    it('loses no update of writers that try again', async () => {
      const drivers = [await driver(), await driver(), await driver()];
      await Promise.all(
        drivers.map(async (one) => {
          for (let round = 0; round < 8; round++) {
            await update(one, 'users', (reading) => ({
              n: String(((settingsOf(reading) as { n?: number }).n ?? 0) + 1),
            }));
          }
        }),
      );
      expect(settingsOf(await now(await driver(), 'users'))).toEqual({ n: 24 });
    });

    it('shows several changes at once or not at all', async () => {
      const [reader, writer] = [await driver(), await driver()];
      const halves: unknown[] = [];
      const watching = holds(
        reader,
        'users',
        (reading) => {
          const { a, b, c } = settingsOf(reading) as { a?: number; b?: number; c?: { d?: number } };
          if (a !== b || b !== c?.d) halves.push({ a, b, c });
          return a === 25;
        },
        { withinMs: 15_000 },
      );
      for (let n = 1; n <= 25; n++) await set(writer, 'users', { a: `${n}`, b: `${n}`, 'c.d': `${n}` });
      await watching;
      expect(halves).toEqual([]);
    });

    it('holds 1,000 entries', async () => {
      const [one, two] = [await driver(), await driver()];
      const keys = Array.from({ length: 1_000 }, (_, n) => `part-${n % 10}.key-${n}`);
      for (let from = 0; from < keys.length; from += 50) {
        await set(
          one,
          'crowd',
          Object.fromEntries(keys.slice(from, from + 50).map((key, n) => [key, String(from + n)])),
        );
      }
      const settings = settingsOf(await now(two, 'crowd')) as Record<string, Record<string, number>>;
      expect(Object.keys(settings)).toHaveLength(10);
      expect(settings['part-7']!['key-997']).toBe(997);
      expect(Object.values(settings).flatMap((part) => Object.keys(part))).toHaveLength(1_000);
    });
  });
}
