import { Code, ServiceError } from '@holdfast/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseUserName } from './user-name.js';

/** What is wrong with `name`, in the words of the refusal. */
function violations(name: string): readonly string[] {
  const error = refusal(name);
  return error ? error.violations.map(({ field, description }) => `${field} ${description}`) : [];
}

function refusal(name: string): ServiceError | undefined {
  try {
    parseUserName(name);
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError && error.code === Code.INVALID_ARGUMENT) return error;
    throw error;
  }
}

const length = 'name must have 1 to 64 characters';
const printable = 'name must have printable characters only';
const edges = 'name must not begin or end with a space';

describe('a user name', () => {
  it.each(['alice', 'Zoë', '李小龍', 'O’Brien', 'a b', 'name@example.org', '👩‍💻', 'علی‌رضا', '0', '🙂'.repeat(64)])(
    'may be %s',
    (name) => expect(parseUserName(name)).toBe(name),
  );

  it.each([
    ['', length],
    ['a'.repeat(65), length],
    ['🙂'.repeat(65), length],
    ['a\nb', printable],
    ['a\u0000', printable],
    ['a\u007f', printable],
    ['a\u2028b', printable],
    ['\ud800', printable],
    ['a\u202eb', printable],
    ['a\u200bb', printable],
    ['a\ue000', printable],
    ['a\u{50000}', printable],
    [' alice', edges],
    ['alice ', edges],
    ['alice\u00a0', edges],
    [' ', edges],
    ['\u200d', edges],
  ])('must not be %j', (name, violation) => expect(violations(name)).toEqual([violation]));

  it('is the same name however its accents are encoded, and counts as it is kept', () => {
    expect(parseUserName('Zoe\u0308')).toBe('Zo\u00eb');
    expect(parseUserName('e\u0301'.repeat(64))).toBe('\u00e9'.repeat(64));
  });

  it('of any printable ASCII is kept as it is', () => {
    const inner = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 64 });
    const name = inner.filter((text) => text === text.trim());
    fc.assert(
      fc.property(name, (text) => {
        expect(parseUserName(text)).toBe(text);
      }),
    );
  });

  it('is either refused or stable, short, and one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        if (violations(text).length > 0) return;
        const kept = parseUserName(text);
        expect(parseUserName(kept)).toBe(kept);
        expect(kept).toBe(text.normalize('NFC'));
        expect([...kept].length).toBeLessThanOrEqual(64);
        expect(kept.replaceAll(/[\u200c\u200d]/g, '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with a control, a surrogate or a line break anywhere is refused', () => {
    const bad = fc.constantFrom('\n', '\r', '\t', '\u0000', '\u0085', '\u2028', '\u2029', '\udc00', '\u200e', '\ufffe');
    const part = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });
    fc.assert(
      fc.property(part, bad, part, (before, character, after) => {
        expect(violations(before + character + after)).toEqual([printable]);
      }),
    );
  });
});
