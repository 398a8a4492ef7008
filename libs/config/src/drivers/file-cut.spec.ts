import { seededRandom } from '@holdfast/core';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { cutSections } from './file-cut.js';

it('cuts a file in block style, and keeps what belongs to each section', () => {
  const text =
    '# all\n\nusers: # people\n    # own\n    a: 1 # one\n    b: [1,\n        2]\n    c: |\n        x\n\n          y\n\n# next\norders:\n  - 1\n\nempty:\nlast:\n  a: 1';
  expect(Object.fromEntries(cutSections(text) ?? [])).toEqual({
    users: '# own\na: 1 # one\nb: [1,\n    2]\nc: |\n    x\n\n      y\n',
    orders: '- 1\n',
    empty: 'null\n',
    last: 'a: 1\n',
  });
});

it.each([
  'a: 1',
  '{}',
  '- a',
  'a:\n- b',
  'a:\nb:\na:',
  '---\na:',
  '"a":\n  b: 1',
  'a:\n  b: &x 1',
  'a: {\n  b: 1\n}',
  'a:\n  b: |+\n    x\n',
  'a:\n\tb: 1',
  ' a: 1',
  'a:\n   b: 1\n  c: 2',
  'a b:\n  c: 1',
])('leaves %j to the parser', (text) => expect(cutSections(text)).toBeUndefined());

it('says of every section what the parser says of it', { timeout: 60_000 }, () => {
  const random = seededRandom(3);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)]!;
  const tree = (depth: number): unknown => {
    const kind = random();
    if (depth === 0 || kind < 0.3) {
      return pick([
        1,
        'x',
        '',
        null,
        'a: b',
        '# no',
        'two\nlines',
        'two\nlines\n',
        ' lead\n  in',
        'x\n\n\n',
        'long '.repeat(40),
        '# a\nb:\n',
        true,
        {},
        [],
      ]);
    }
    const inner = Array.from({ length: 1 + Math.floor(random() * 3) }, () => tree(depth - 1));
    return kind < 0.5
      ? inner
      : Object.fromEntries(inner.map((value, n) => [pick(['a', 'b', 'users', 'x y']) + n, value]));
  };
  let cut = 0;
  for (let round = 0; round < 1_500; round++) {
    const file = { users: tree(3), orders: tree(3), 'user-service': tree(2) };
    const text = stringify(file, {
      indent: pick([2, 4]),
      lineWidth: pick([0, 40]),
      indentSeq: pick([true, false]),
      blockQuote: pick([true, 'folded', 'literal', false]),
    });
    const sections = cutSections(text);
    if (!sections) continue;
    cut++;
    const said = Object.fromEntries([...sections].map(([name, section]) => [name, parse(section) as unknown]));
    expect({ text, said }).toEqual({ text, said: parse(text) as unknown });
  }
  expect(cut).toBeGreaterThan(150);
});
