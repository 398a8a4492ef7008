import { seededRandom } from '@holdfast/core';
import { expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { readPlainYaml } from './plain-yaml.js';
import { TreeReader } from './tree-reader.js';

/** As the parser of all of YAML reads it; undefined where it refuses it. */
function parsed(text: string) {
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false, schema: 'core' });
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  try {
    return new TreeReader(document).branch();
  } catch {
    return undefined;
  }
}

it('reads plain documents', () => {
  const text = '# all\na:\n    b: 500ms # why\n    c.d: "x: y"\n\n    e:\n      f: true\n      g: -1.50\nh: \'it\'\n';
  expect(readPlainYaml(text)).toEqual(parsed(text));
  expect(readPlainYaml(text)?.size).toBe(2);
});

it.each([
  '',
  '#',
  'a:',
  'a: null',
  'a: ~',
  'a: [1]',
  'a: 1\na: 2',
  'a.b: 1\na.c: 2',
  '- a',
  'a: b: c',
  'a: 1\n  b',
  '  a: 1\nb: 2',
  'a:\n   b: 1\n  c: 2',
  'a: *b',
  'a: |\n  x',
  '1: 2',
  'a: 0x1f',
  'a: 007',
  'a: 1e3',
  "a: 'it''s'",
  'a: "\\n"',
  'a:\t1',
  '"a": 1',
  'a: 1\r\n',
])('leaves %j to the parser', (text) => expect(readPlainYaml(text)).toBeUndefined());

it('never reads anything that the parser reads otherwise', { timeout: 60_000 }, () => {
  const random = seededRandom(11);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)]!;
  const pieces = [
    ' ',
    '  ',
    '    ',
    '\n',
    '\n',
    '\n  ',
    '\n    ',
    'a',
    'b',
    'a.b',
    'c:',
    ': ',
    ':',
    ': 1',
    ': x y',
    ': 500ms',
    ': "q"',
    ": 'q'",
    '#',
    ' # c',
    '"',
    "'",
    '-',
    '- ',
    '.',
    '1',
    '1.0',
    'true',
    'null',
    '{}',
    '[',
    '&a ',
    '*a',
    '!t ',
    '|',
    '>',
    '%',
    '---',
    '...',
    '\t',
    '?',
    '? ',
    ',',
    '\\',
    '\u00a0',
    '\ufeff',
    'é',
    '\u2028',
    '\u0085',
    '\u0000',
  ];
  const lines = [
    'a: 1',
    'b:',
    '  c: x',
    '  d: "y"',
    '  e.f: 2s',
    '    g: true',
    'h: -1.5',
    '# n',
    '',
    '   i: z',
    'j: null',
    "k: 'l m'",
    'B:',
    '  n: 1 # o',
  ];
  let plain = 0;
  for (let round = 0; round < 20_000; round++) {
    let text = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(lines)).join('\n');
    for (let edits = Math.floor(random() * 3); edits > 0; edits--) {
      const at = Math.floor(random() * (text.length + 1));
      text = text.slice(0, at) + pick(pieces) + text.slice(at + Math.floor(random() * 2));
    }
    const tree = readPlainYaml(text);
    if (!tree) continue;
    plain++;
    expect([text, tree]).toEqual([text, parsed(text)]);
  }
  expect(plain).toBeGreaterThan(500);
});
