import { describe, expect, it } from 'vitest';
import { namesOf } from './names.js';
import { mentions, Renaming } from './renaming.js';

const [oakum, sorrelLarch, medlar] = [namesOf('oakum'), namesOf('sorrel-larch'), namesOf('medlar', 'Medlar.dev')];

describe('namesOf', () => {
  it('spells a name for every place', () => {
    expect(sorrelLarch).toEqual({
      kebab: 'sorrel-larch',
      snake: 'sorrel_larch',
      camel: 'sorrelLarch',
      pascal: 'SorrelLarch',
      upper: 'SORREL_LARCH',
      title: 'Sorrel Larch',
    });
    expect(namesOf('medlar', 'Medlar Co').title).toBe('Medlar Co');
  });

  it.each([
    '',
    'Oakum',
    '2larches',
    'sorrel_larch',
    'sorrel--larch',
    '-larch',
    'larch-',
    'sorrel larch',
    '@sorrel',
    'sorrel-2',
    'p'.repeat(41),
  ])('refuses "%s"', (scope) => {
    expect(() => namesOf(scope)).toThrow(`"${scope}" cannot be a name: write lower-case words with dashes`);
  });

  it.each([
    '',
    'sorrel larch',
    'Sorrel  Larch',
    'Sorrel"Larch',
    'Sorrel: Larch',
    '<Sorrel>',
    'Sorrel Larch ',
    'R'.repeat(41),
  ])('refuses to show "%s"', (title) => {
    expect(() => namesOf('sorrel-larch', title)).toThrow(`"${title}" cannot be the name that is shown`);
  });
});

describe('Renaming', () => {
  /** Text under the first name, and the same under the second. */
  const pairs: readonly (readonly [string, string])[] = [
    ["import { Cell } from '@oakum/core';", "import { Cell } from '@sorrel-larch/core';"],
    ["from '@oakum/proto/oakum/rpc/v1/status'", "from '@sorrel-larch/proto/sorrel_larch/rpc/v1/status'"],
    ['package oakum.rpc.v1;', 'package sorrel_larch.rpc.v1;'],
    ['package oakum.v1;', 'package sorrel_larch.v1;'],
    ['/oakum.testing.v1.EchoService/Missing', '/sorrel_larch.testing.v1.EchoService/Missing'],
    ['sum(oakum_ready) by (job)', 'sum(sorrel_larch_ready) by (job)'],
    ['oakum:http_errors:ratio_rate5m', 'sorrel_larch:http_errors:ratio_rate5m'],
    ['namespace: oakum', 'namespace: sorrel-larch'],
    ['system:serviceaccounts:oakum', 'system:serviceaccounts:sorrel-larch'],
    ['image: oakum/gateway:0.1.0', 'image: sorrel-larch/gateway:0.1.0'],
    ['file:.oakum/users.db', 'file:.sorrel-larch/users.db'],
    ['x-oakum-identity', 'x-sorrel-larch-identity'],
    ['- alert: OakumBreakerOpen', '- alert: SorrelLarchBreakerOpen'],
    ['OAKUM_HOME=1', 'SORREL_LARCH_HOME=1'],
    ['const oakumHome = openOakum();', 'const sorrelLarchHome = openSorrelLarch();'],
    ['# Oakum', '# Sorrel Larch'],
    ['Oakum’s peers, and Oakum.', 'Sorrel Larch’s peers, and Sorrel Larch.'],
    ['oakums, soakum and Oakums', 'oakums, soakum and Oakums'],
  ];

  it.each(pairs)('%s', (before, after) => {
    expect(new Renaming(oakum, sorrelLarch).text(before)).toBe(after);
    expect(new Renaming(sorrelLarch, oakum).text(after)).toBe(before);
  });

  it('moves files, the folders of proto packages under the name that packages have', () => {
    const moved = (name: string) => new Renaming(oakum, sorrelLarch).path(name);
    expect(moved('config/oakum.yaml')).toBe('config/sorrel-larch.yaml');
    expect(moved('proto/oakum/rpc/v1/status.proto')).toBe('proto/sorrel_larch/rpc/v1/status.proto');
    expect(moved('proto/gen/oakum/rpc/v1/status.ts')).toBe('proto/gen/sorrel_larch/rpc/v1/status.ts');
    expect(moved('libs/core/src/clock.ts')).toBe('libs/core/src/clock.ts');
  });

  it('leaves lines that say where something comes from', () => {
    const origin = 'Copyright (c) 2026 the Oakum authors\nMade from Oakum 0.1.0.\n';
    expect(new Renaming(oakum, sorrelLarch).text(`${origin}Oakum\n`)).toBe(`${origin}Sorrel Larch\n`);
    expect(mentions(oakum, origin)).toBe(false);
    expect(mentions(oakum, `${origin}Oakum\n`)).toBe(true);
  });

  it('takes the name that is shown from where it is told, not from the other', () => {
    expect(new Renaming(oakum, medlar).text('# Oakum is oakum')).toBe('# Medlar.dev is medlar');
    expect(new Renaming(medlar, sorrelLarch).text('# Medlar.dev is medlar; MedlarError')).toBe(
      '# Sorrel Larch is sorrel-larch; SorrelLarchError',
    );
    expect(new Renaming(medlar, sorrelLarch).text('Medlarxdev')).toBe('Medlarxdev');
  });

  it('sees whether a name is in use', () => {
    expect(mentions(sorrelLarch, 'class SorrelLarch {}')).toBe(true);
    expect(mentions(sorrelLarch, 'sorrel_larch_total')).toBe(true);
    expect(mentions(sorrelLarch, 'SORREL LARCH, sorrellarch, sorrel-larchs')).toBe(false);
  });
});
