import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configPage } from './config-page.js';

describe('docs/config.md', () => {
  it('is what `npm run docs` writes', { timeout: 30_000 }, async () => {
    const written = readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8');
    expect(written).toBe(await configPage());
  });
});
