import { Cell } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { clientOf, rangesOf, within } from './client-address.js';
import { ClientLimit, tooMany } from './client-limit.js';
import { RecentMap } from './recent-map.js';

describe('ClientLimit', () => {
  let clock: FakeClock;
  let spec: Cell<{ rate: number; burst?: number }>;
  let limit: ClientLimit;

  beforeEach(() => {
    clock = new FakeClock();
    spec = new Cell<{ rate: number; burst?: number }>({ rate: 10, burst: 3 });
    limit = new ClientLimit(spec, clock);
  });

  it('lets a burst through, says what is left, and refuses the rest until a token is there', async () => {
    expect(limit.take('a')).toEqual({ allowed: true, limit: 3, remaining: 2, resetSeconds: 1, retryAfterMs: 0 });
    limit.take('a');
    expect(limit.take('a')).toMatchObject({ allowed: true, remaining: 0 });
    const refused = limit.take('a');
    expect(refused).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 100 });
    expect(tooMany(refused)).toMatchObject({ httpStatus: 429, reason: 'RATE_LIMITED', retryAfterMs: 100 });
    await clock.advance(100);
    expect(limit.take('a').allowed).toBe(true);
    expect(limit.take('a').allowed).toBe(false);
  });

  it('counts each client for itself', () => {
    for (let n = 0; n < 3; n++) limit.take('a');
    expect(limit.take('a').allowed).toBe(false);
    expect(limit.take('b').allowed).toBe(true);
  });

  it('peeks without taking', () => {
    for (let n = 0; n < 5; n++) expect(limit.peek('a')).toMatchObject({ allowed: true, remaining: 3 });
  });

  it('follows a change at once, and what was used stays used', () => {
    for (let n = 0; n < 3; n++) limit.take('a');
    spec.set({ rate: 100, burst: 50 });
    expect(limit.take('a')).toMatchObject({ allowed: false, limit: 50, retryAfterMs: 10 });
    expect(limit.take('b')).toMatchObject({ allowed: true, limit: 50, remaining: 49 });
    spec.set({ rate: 100 });
    expect(limit.take('c').limit).toBe(10);
  });

  it('holds no more clients than it may, however many there are', () => {
    for (let n = 0; n < 3; n++) limit.take('first');
    for (let n = 0; n < 9_000; n++) limit.take(`stranger ${n}`);
    expect(limit.take('first').allowed).toBe(false);
    for (let n = 0; n < 50_000; n++) limit.take(`other ${n}`);
    expect(limit.take('first').allowed).toBe(true);
  });
});

describe('RecentMap', () => {
  it('keeps what is used, and never more than twice its size', () => {
    const map = new RecentMap<string, number>(100);
    map.set('used', 1);
    for (let n = 0; n < 10_000; n++) {
      map.set(`key ${n}`, n);
      expect(map.get('used')).toBe(1);
    }
    expect([...map.values()].length).toBeLessThanOrEqual(200);
    expect(map.get('key 9999')).toBe(9_999);
    expect(map.get('key 1')).toBeUndefined();
    map.delete('used');
    expect(map.get('used')).toBeUndefined();
  });
});

describe('a client’s address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('%s counts as %s', (address, client) => expect(clientOf(address)).toBe(client));

  it.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::ffff:127.0.0.1', true],
    ['::1', true],
    ['128.0.0.1', false],
    ['::2', false],
    ['not an address', false],
  ])('%s is of this machine: %s', (address, expected) => {
    expect(within(rangesOf(['127.0.0.0/8', '::1/128']), address)).toBe(expected);
  });
});
