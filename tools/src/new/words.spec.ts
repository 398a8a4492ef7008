import { StartupError } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { nounOf } from './words.js';

describe('a noun', () => {
  it.each([
    ['orders', 'order', 'orders'],
    ['order', 'order', 'orders'],
    ['categories', 'category', 'categories'],
    ['category', 'category', 'categories'],
    ['addresses', 'address', 'addresses'],
    ['address', 'address', 'addresses'],
    ['boxes', 'box', 'boxes'],
    ['status', 'status', 'statuses'],
    ['invoices', 'invoice', 'invoices'],
    ['keys', 'key', 'keys'],
    ['line-items', 'line-item', 'line-items'],
  ])('%s is one %s, and several are %s', (word, one, many) => {
    const noun = nounOf(word);
    expect([noun.one.kebab, noun.many.kebab]).toEqual([one, many]);
  });

  it('has the plural that is named, where English has one of its own', () => {
    expect(nounOf('person', 'people')).toMatchObject({ one: { kebab: 'person' }, many: { kebab: 'people' } });
  });

  it('is written as each place writes names', () => {
    expect(nounOf('line-items').many).toEqual({
      kebab: 'line-items',
      camel: 'lineItems',
      pascal: 'LineItems',
      snake: 'line_items',
      prose: 'line items',
    });
  });

  it.each([
    ['Orders', undefined, '"Orders" is no name'],
    ['order_lines', undefined, 'lower-case words with hyphens between'],
    ['../orders', undefined, '"../orders" is no name'],
    ['', undefined, '"" is no name'],
    ['7up', undefined, '"7up" is no name'],
    ['order-', undefined, '"order-" is no name'],
    ['x'.repeat(41), undefined, '40 characters at most'],
    ['class', undefined, '"class" is a word of the language'],
    ['package', undefined, '"package" is a word of the language'],
    ['promise', undefined, '"promise" is a word of the language'],
    ['maps', undefined, '"map" is a word of the language'],
    ['person', 'People', '"People" is no name'],
    ['fish', 'fish', '"fish" has no plural of its own'],
  ])('is not %s %s', (word, plural, sentence) => {
    const attempt = () => nounOf(word, plural);
    expect(attempt).toThrow(StartupError);
    expect(attempt).toThrow(sentence);
  });
});
