import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { keyFactsOf, KeyGuide } from './key-facts.js';

const milliseconds = z
  .custom<number | string>((value) => typeof value === 'number' || typeof value === 'string')
  .transform(Number);
const schema = z.strictObject({
  wait: milliseconds.default(50).describe('How long to wait; 1ms to 60m. Not longer.'),
  share: z.number().min(1).max(100).optional().describe('How many of them, in percent; 1 to 100.'),
  names: z.array(z.string()).default(['a']),
  mode: z.enum(['fast', 'safe']).prefault('safe'),
  text: z.string().min(1).max(9),
  switch: z.union([z.literal(false), z.strictObject({ on: z.boolean() })]).optional(),
  routes: z.record(z.string(), z.strictObject({ limit: z.int().min(1) })).default({}),
  login: z
    .strictObject({ password: z.string().default('hush') })
    .meta({ secret: true })
    .optional(),
});
const guide = new KeyGuide([{ key: 'a.b', schema }, { key: 'a.b.own', schema: z.int() }]); // prettier-ignore

describe('the facts of a key', () => {
  it('are what its schema says', () => {
    const facts = keyFactsOf({ key: 'a', schema });
    expect(facts.map(({ key, type, unit, range, default: fallback }) => [key, type, unit, range, fallback])).toEqual([
      ['a.wait', 'duration', '', '1ms to 60m', 50],
      ['a.share', 'number', 'percent', '1 to 100', undefined],
      ['a.names', 'list', '', '', ['a']],
      ['a.mode', 'one of fast, safe', '', '', 'safe'],
      ['a.text', 'text', '', '1 to 9 characters', undefined],
      ['a.switch', 'false or map', '', '', undefined],
      ['a.routes.<name>.limit', 'whole number', '', '1 or more', undefined],
      ['a.login.password', 'text', '', '', undefined],
    ]);
    expect(facts[0]!.meaning).toBe('How long to wait. Not longer.');
    expect(facts.filter(({ secret }) => secret).map(({ key }) => key)).toEqual(['a.login.password']);
  });

  it('are found by the key; the longest demand has it', () => {
    expect(guide.factsOf('a.b.routes./users.limit')?.type).toBe('whole number');
    expect(guide.factsOf('a.b.switch.on')?.type).toBe('true or false');
    expect(guide.factsOf('a.b.own')?.type).toBe('whole number');
    expect(guide.factsOf('a.b.nosuch')).toBeUndefined();
  });
});

describe('a guide to the keys', () => {
  it.each([
    ['a.b.wait', true],
    ['a.b.routes.any.limit', true],
    ['a.b.routes.any.limits', false],
    ['a', true],
    ['a.b.nosuch', false],
    ['a.bc', false],
    ['a.b.text.length', false],
    ['a.b.constructor', false],
  ])('knows whether somebody may ask for %s', (path, known) => {
    expect(guide.knows(path)).toBe(known);
  });

  it.each([
    ['a.b.wiat', 'did you mean a.b.wait?'],
    ['wait', 'did you mean a.b.wait?'],
    ['wholly.else', 'there are a.b, a.b.own'],
  ])('says what may have been meant by %s', (path, hint) => {
    expect(guide.strangerReason(path)).toBe(`there is no key ${path}; ${hint}`);
  });

  it('hides what is a secret, has one in it, or is unknown', () => {
    const paths = ['a.b.wait', 'a.b.login.password', 'a.b.login', 'a.b', 'a.b.nosuch', ''];
    expect(paths.filter((path) => guide.hides(path))).toEqual(paths.slice(1));
  });
});
