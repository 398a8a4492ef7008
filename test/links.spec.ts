import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read } from './deployment/manifests.js';

const root = join(import.meta.dirname, '..');
const pages = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => normalize(join(folder, name))),
);

/** A page without what stands in it as code. */
function proseOf(page: string): string {
  return read(page)
    .replaceAll(/^ *```[^]*?^ *```$/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ''));
}

/** The anchors of a page: those that are written, and those that its headings get, as GitHub makes them. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = proseOf(page);
  const anchors = new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id!));
  for (const [, heading] of text.matchAll(/^#+ (.*)$/gm)) {
    const words = heading!.replaceAll(/<[^>]+>/g, '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = words.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-'); // prettier-ignore
    let unique = slug;
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

describe.each(pages)('%s', (page) => {
  const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);

  it('links to files and sections that there are', () => {
    const broken = links
      .filter((link) => !/^(?:https?|mailto):/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page : normalize(join(dirname(page), path));
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !(target.endsWith('.md') && anchorsOf(target).has(anchor));
      });
    expect(broken).toEqual([]);
  });

  it('links to other places by https, and to none that only this machine has but the mesh itself', () => {
    const odd = links.filter((link) => /^\w+:/.test(link) && !/^https:\/\/[\w-]+(\.[\w-]+)+(\/|$)/.test(link));
    expect(odd.filter((link) => !link.startsWith('http://localhost:'))).toEqual([]);
  });
});

it('there are pages, and links between them', () => {
  expect(pages.length).toBeGreaterThan(10);
  expect(pages.flatMap((page) => [...proseOf(page).matchAll(/\]\((?!http)[^)\s]+\)/g)]).length).toBeGreaterThan(50);
});
