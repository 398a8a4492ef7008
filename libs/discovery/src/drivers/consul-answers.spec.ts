import { finished } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Instance } from '../driver.js';
import { ConsulAnswers } from './consul-answers.js';
import { ConsulBody } from './consul-body.js';
import { spliced, splicesBetween } from './consul-listing.js';
import { ListingReader } from './consul-worker.js';

const entry = (n: number, version = '1') => ({
  Node: { Address: '10.0.0.1' },
  Service: {
    ID: `users-${String(n).padStart(5, '0')}`,
    Address: '10.0.0.2',
    Port: 5_000 + n,
    Meta: { protocol: 'grpc', version, note: 'x'.repeat(400) },
    Weights: { Passing: 1 },
  },
});

/** An answer as it comes off the wire. Small pieces share memory with others, as Node's do. */
async function bodyOf(answer: unknown, text = JSON.stringify(answer), isPacked = false): Promise<ConsulBody> {
  const body = new ConsulBody();
  const bytes = isPacked ? gzipSync(text) : Buffer.from(text);
  body.isPacked = isPacked;
  for (let at = 0; at < bytes.length; at += 60_000) body.write(bytes.subarray(at, at + 60_000));
  body.end();
  await finished(body);
  return body;
}

const fleet = (size: number, version?: string) => Array.from({ length: size }, (_, n) => entry(n, version));

describe('splices', () => {
  const listing = fc
    .uniqueArray(fc.record({ id: fc.nat(30), weight: fc.nat(2) }), { selector: ({ id }) => id, maxLength: 20 })
    .map((list) =>
      list
        .toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
        .map(({ id, weight }): Instance => ({
          id: String(id),
          service: 'users',
          host: 'h',
          port: 1,
          protocol: 'grpc',
          weight,
        })),
    );

  it('make the one listing of the other, and leave alone what is in both', () => {
    fc.assert(
      fc.property(listing, listing, (before, after) => {
        const made = spliced(before, splicesBetween(before, after));
        expect(made).toEqual(after);
        const same = before.filter((one) => after.some((other) => other.id === one.id && other.weight === one.weight));
        expect(made.filter((one) => before.includes(one))).toEqual(same);
      }),
      { numRuns: 1_000 },
    );
  });
});

const order = (ticket: number, base: number, entries: unknown) => ({
  ticket,
  service: 'users',
  base,
  pieces: [Buffer.from(JSON.stringify(entries))],
  isPacked: false,
});

describe('ListingReader', () => {
  it('gives what has changed since the base, and everything where it has another', () => {
    const reader = new ListingReader();
    const first = reader.read(order(1, 0, fleet(5)));
    expect(first).toMatchObject({ ticket: 1, whole: true, splices: [{ at: 0, removed: 0 }] });
    if ('problem' in first) throw new Error(first.problem);
    const second = reader.read(order(2, first.version, fleet(4)));
    expect(second).toMatchObject({ ticket: 2, whole: false, splices: [{ at: 4, removed: 1, added: [] }] });
    expect(reader.read(order(3, first.version, fleet(4)))).toMatchObject({ ticket: 3, whole: true });
    expect(reader.read({ ...order(4, 0, []), pieces: [Buffer.from('[{')] })).toMatchObject({ ticket: 4 });
  });
});

describe('ConsulAnswers', () => {
  let answers: ConsulAnswers;
  const read = async (answer: unknown) => answers.instances('users', await bodyOf(answer));
  afterEach(() => answers.close());

  it('reads small and large ones, and keeps what has not changed between large ones', async () => {
    answers = new ConsulAnswers('consul');
    expect(await read(fleet(3))).toHaveLength(3);
    const first = await read(fleet(2_000));
    expect(first).toHaveLength(2_000);
    expect(first[7]).toEqual({
      id: 'users-00007',
      service: 'users',
      host: '10.0.0.2',
      port: 5_007,
      protocol: 'grpc',
      version: '1',
    });
    const second = await read(fleet(2_000).map((one, n) => (n === 7 ? entry(7, '2') : one)));
    expect(second.filter((one, n) => one !== first[n]).map(({ version }) => version)).toEqual(['2']);
    expect(await read(fleet(3))).toHaveLength(3);
    expect(await read(fleet(1_999, '3'))).toEqual(first.slice(0, -1).map((one) => ({ ...one, version: '3' })));
  });

  it('reads packed ones, by the size that they have unpacked', async () => {
    answers = new ConsulAnswers('consul');
    const packed = async (size: number) => {
      const body = await bodyOf(0, JSON.stringify(fleet(size)), true);
      expect(body.size).toBe(JSON.stringify(fleet(size)).length);
      return answers.instances('users', body);
    };
    expect(await packed(3)).toEqual(await read(fleet(3)));
    expect(await packed(2_000)).toEqual(await read(fleet(2_000)));
    const empty = new ConsulBody();
    empty.isPacked = true;
    expect(await answers.instances('users', empty)).toEqual([]);
    const damaged = await bodyOf(0, JSON.stringify(fleet(3)));
    damaged.isPacked = true;
    await expect(answers.instances('users', damaged)).rejects.toThrow(/^consul gave an answer that cannot be read/);
  });

  it('reads several at the same time', async () => {
    answers = new ConsulAnswers('consul');
    const sizes = [1_000, 1_500, 900, 2_000];
    const listings = await Promise.all(sizes.map((size) => read(fleet(size))));
    expect(listings.map(({ length }) => length)).toEqual(sizes);
    expect(await read(fleet(901))).toEqual(await read(fleet(901)));
  });

  it('says so when one cannot be read, and reads on', async () => {
    answers = new ConsulAnswers('consul');
    const sentence = /^consul gave an answer that cannot be read \(.*[^.]\)\.$/;
    await expect(answers.instances('users', await bodyOf(0, '[{'))).rejects.toThrow(sentence);
    await expect(answers.instances('users', await bodyOf(0, `[{${' '.repeat(300_000)}`))).rejects.toThrow(sentence);
    expect(await read(fleet(2_000))).toHaveLength(2_000);
    const pending = read(fleet(2_000));
    await new Promise(setImmediate);
    answers.close();
    await expect(pending).rejects.toThrow(sentence);
  });
});
