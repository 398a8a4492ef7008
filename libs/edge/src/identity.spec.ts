import { Code } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdentitySeal } from './identity.js';

const secret = 'a secret of at least thirty-two bytes';
const alice = { subject: 'alice', scopes: ['users:read', 'users:write'] };
const untrusted = expect.objectContaining({ code: Code.UNAUTHENTICATED, reason: 'UNTRUSTED_IDENTITY' }) as Error;

describe('IdentitySeal', () => {
  it('opens what was sealed with the same secret, in another process too, and is a header’s value', () => {
    const clock = new FakeClock();
    const sealed = new IdentitySeal(secret, clock).seal(alice);
    expect(new IdentitySeal(secret, clock).open(sealed)).toEqual(alice);
    expect(sealed).toMatch(/^[\w-]+\.[\w-]+$/);
  });

  it('holds for five minutes, and is made again in time', async () => {
    const clock = new FakeClock();
    const seal = new IdentitySeal(secret, clock);
    const first = seal.seal(alice);
    await clock.advance(149_999);
    expect(seal.seal(alice)).toBe(first);
    await clock.advance(1);
    const second = seal.seal(alice);
    expect(second).not.toBe(first);
    await clock.advance(150_000);
    expect(() => seal.open(first)).toThrow(untrusted);
    expect(seal.open(second)).toEqual(alice);
  });

  it('refuses another secret, and any text that was not sealed', () => {
    const seal = new IdentitySeal(secret, new FakeClock());
    const other = new IdentitySeal(`${secret}!`, new FakeClock());
    expect(() => seal.open(other.seal(alice))).toThrow(untrusted);
    for (const text of ['', '.', 'a.b', `${seal.seal(alice)}.x`]) expect(() => seal.open(text)).toThrow(untrusted);
    fc.assert(fc.property(fc.string(), (text) => void expect(() => seal.open(text)).toThrow(untrusted)));
  });

  it('refuses a sealed text with any one character changed', () => {
    const seal = new IdentitySeal(secret, new FakeClock());
    const sealed = seal.seal(alice);
    // The last character of base64url has bits that mean nothing.
    for (let at = 0; at < sealed.length - 1; at++) {
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
      expect(() => seal.open(changed)).toThrow(untrusted);
    }
  });
});
