import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '@holdfast/core';
import { migrate, openDatabase } from '@holdfast/database';
import type { Kysely } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsersRepository } from './users.repository.js';
import { migrations, type Tables } from './users.table.js';

async function listed(repository: UsersRepository): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of repository.list()) names.push(name);
  return names;
}

describe('UsersRepository', () => {
  let folder: string;
  let database: Kysely<Tables>;
  let users: UsersRepository;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'users-'));
    database = await openDatabase<Tables>(`file:${folder}/users.db`);
    await migrate(database, migrations);
    await database.deleteFrom('users').execute(); // demo
    users = new UsersRepository(database);
    for (const name of ['alice', 'bob', 'carol']) await users.add(name);
  });

  afterEach(async () => {
    await database.destroy();
    await rm(folder, { recursive: true, force: true });
  });

  /** Adds `count` users whose names sort in the order of their numbers, in one statement. */
  async function addMany(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, i) => `name${String(i).padStart(6, '0')}`);
    await database
      .insertInto('users')
      .values(names.map((name) => ({ name })))
      .execute();
    return names;
  }

  it('finds what was added, by the exact name', async () => {
    expect(await users.add("Robert'); drop table users;--")).toEqual({ name: "Robert'); drop table users;--" });
    expect(await users.find("Robert'); drop table users;--")).toEqual({ name: "Robert'); drop table users;--" });
    expect(await users.find('robert')).toBeUndefined();
    expect(await users.find('Alice')).toBeUndefined();
  });

  it('refuses a name that is taken, also when both come at once', async () => {
    const outcomes = await Promise.allSettled([users.add('dave'), users.add('dave')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(users.add('alice')).rejects.toMatchObject({
      code: Code.ALREADY_EXISTS,
      message: 'There is a user named "alice" already.',
    });
  });

  it('does not take another failure for a taken name', async () => {
    await database.schema.dropTable('users').execute();
    await expect(users.add('dave')).rejects.toMatchObject({ code: 'SQLITE_ERROR' });
  });

  it('lists an empty table, and one whose pages are just full', async () => {
    await database.deleteFrom('users').execute();
    expect(await listed(users)).toEqual([]);
    const names = await addMany(1_000);
    expect(await listed(users)).toEqual(names);
  });

  it('lists in the order of code points', async () => {
    const names = ['\u{1f642}', 'Zoe', 'zoe', '\u00e9', '\uffee'];
    for (const name of names) await users.add(name);
    expect(await listed(users)).toEqual(['Zoe', 'alice', 'bob', 'carol', 'zoe', '\u00e9', '\uffee', '\u{1f642}']);
  });

  it('reads page by page: it stops with the loop, and lets others run between two pages', async () => {
    await addMany(5_000);
    const queries: string[] = [];
    const watched = database.withPlugin({
      transformQuery: ({ node }) => {
        queries.push(node.kind);
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    let turns = 0;
    const turn = () => {
      turns++;
      handle = setImmediate(turn);
    };
    let handle = setImmediate(turn);
    let seen = 0;
    for await (const { name } of new UsersRepository(watched).list()) {
      expect(name).toBeTypeOf('string');
      if (++seen === 2_000) break;
    }
    clearImmediate(handle);
    expect(queries).toHaveLength(4);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});
