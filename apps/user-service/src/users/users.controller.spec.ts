import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cell, Code } from '@holdfast/core';
import { migrate, openDatabase } from '@holdfast/database';
import type { Kysely } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { greeting } from './greeting.js';
import { UsersController } from './users.controller.js';
import { UsersRepository } from './users.repository.js';
import { migrations, type Tables } from './users.table.js';

describe('UsersController', () => {
  let folder: string;
  let database: Kysely<Tables>;
  let repository: UsersRepository;
  let template: Cell<z.infer<typeof greeting.schema>>; // demo
  let users: UsersController;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'users-'));
    database = await openDatabase<Tables>(`file:${folder}/users.db`);
    await migrate(database, migrations);
    await database.deleteFrom('users').execute(); // demo
    repository = new UsersRepository(database);
    for (const name of ['alice', 'bob', 'carol']) await repository.add(name);
    template = new Cell(greeting.schema.parse({})); // demo
    const self = { id: 'user-service-1', name: 'user-service', zone: undefined, host: '127.0.0.1' };
    users = new UsersController(
      repository,
      self,
      template, // demo
    );
  });

  afterEach(async () => {
    await database.destroy();
    await rm(folder, { recursive: true, force: true });
  });

  // #region demo
  it('greets with the words that the operator wants at that moment', async () => {
    template.set({ template: 'Welcome back, {name}! {name}?' });
    expect(await users.getUser({ name: 'alice' })).toMatchObject({ message: 'Welcome back, alice! alice?' });
    template.set({ template: 'Good day' });
    expect(await users.getUser({ name: 'alice' })).toMatchObject({ message: 'Good day' });
  });
  // #endregion

  it('finds a user, and says which instance did', async () => {
    expect(await users.getUser({ name: 'alice' })).toEqual({
      user: { name: 'alice' },
      message: 'Hello, alice', // demo
      servedBy: 'user-service-1',
    });
  });

  it('does not know what was never added', async () => {
    await expect(users.getUser({ name: 'dave' })).rejects.toMatchObject({
      code: Code.NOT_FOUND,
      message: 'There is no user named "dave".',
    });
  });

  it('adds a user once, however the name is encoded', async () => {
    expect(await users.createUser({ name: 'Zoe\u0308' })).toEqual({
      user: { name: 'Zo\u00eb' },
      servedBy: 'user-service-1',
    });
    await expect(users.createUser({ name: 'Zo\u00eb' })).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
    expect((await users.getUser({ name: 'Zoe\u0308' })).user).toEqual({ name: 'Zo\u00eb' });
  });

  it.each(['', ' alice', 'a\nb', 'a'.repeat(65)])('holds every call to the rule of names: %j', async (name) => {
    const refusal = { code: Code.INVALID_ARGUMENT, violations: [{ field: 'name' }] };
    await expect(users.getUser({ name })).rejects.toMatchObject(refusal);
    await expect(users.createUser({ name })).rejects.toMatchObject(refusal);
  });

  it('streams the users, and lets go of the list when the caller does', async () => {
    const all = [];
    for await (const answer of users.listUsers()) all.push(answer);
    expect(all).toEqual([{ user: { name: 'alice' } }, { user: { name: 'bob' } }, { user: { name: 'carol' } }]);

    const list = repository.list();
    let ended = false;
    repository.list = async function* () {
      try {
        yield* list;
      } finally {
        ended = true;
      }
    };
    const answers = users.listUsers();
    expect(await answers.next()).toEqual({ done: false, value: { user: { name: 'alice' } } });
    await answers.return();
    expect(ended).toBe(true);
  });
});
