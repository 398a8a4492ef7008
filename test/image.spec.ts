import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imageFacts } from './deployment/image-facts.js';
import { read } from './deployment/manifests.js';
import { readAll, unknownSettings } from './deployment/settings.js';

const dockerfile = read('Dockerfile');
const image = imageFacts();

describe('the Dockerfile', () => {
  it('has the Node that the repository is worked on with, pinned', () => {
    const [, version] = /^ARG NODE=(\d+\.\d+\.\d+)-bookworm-slim$/m.exec(dockerfile) ?? [];
    expect(version?.split('.')[0]).toBe(read('.nvmrc').trim());
    expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, from]) => from)).toEqual(['node:${NODE}', 'node:${NODE}']);
  });

  it.each(readdirSync(join(import.meta.dirname, '../apps')))('starts %s with settings that it knows', async (app) => {
    // One image for all: an edge keeps no data.
    const others = app.endsWith('gateway') ? ['DATABASE_URL'] : [];
    expect(unknownSettings(app, Object.keys(image.env)).filter((name) => !others.includes(name))).toEqual([]);
    const settings = await readAll(app, image.env);
    expect(settings).toMatchObject({ HOST: '0.0.0.0', ADMIN_HOST: '127.0.0.1', NODE_ENV: 'production' });
    const exposed = /^EXPOSE (.*)$/m.exec(dockerfile)?.[1]?.split(' ').map(Number);
    expect(exposed).toEqual([settings.PORT, settings.GRPC_PORT, settings.ADMIN_PORT]);
  });

  it('runs as somebody without rights, behind a first process that hands signals on', () => {
    expect(image.user).toBe('1000:1000');
    expect(image.entrypoint).toEqual(['/usr/bin/tini', '--']);
    expect(dockerfile).toMatch(/apt-get install .*\btini\b/);
    expect(image.command).toEqual(['node', 'main.mjs']);
  });

  it('says what it is, for whoever makes a bill of materials', () => {
    const labels = [...dockerfile.matchAll(/org\.opencontainers\.image\.([\w.]+)=/g)].map(([, name]) => name);
    expect(labels.toSorted()).toEqual(
      ['base.name', 'created', 'description', 'licenses', 'revision', 'title', 'version'].toSorted(),
    );
  });
});
