import { setImmediate } from 'node:timers/promises';
import { Code, ServiceError } from '@holdfast/core';
import type { User } from '@holdfast/proto/user/v1/user';
import { Injectable } from '@nestjs/common';
import { Kysely } from 'kysely';
import type { Tables } from './users.table.js';

/** How many users {@link UsersRepository.list} has in memory at once. */
const pageSize = 500;

/** The users, by name. Names are as `parseUserName` returns them. */
@Injectable()
export class UsersRepository {
  readonly #database: Kysely<Tables>;

  constructor(database: Kysely<Tables>) {
    this.#database = database;
  }

  /** The user of that name; undefined where there is none. */
  find(name: string): Promise<User | undefined> {
    return this.#database.selectFrom('users').select('name').where('name', '=', name).executeTakeFirst();
  }

  /** @throws ServiceError ALREADY_EXISTS where the name is taken */
  async add(name: string): Promise<User> {
    const { numInsertedOrUpdatedRows } = await this.#database
      .insertInto('users')
      .values({ name })
      // Tells a taken name from any other error on every database, with no error code of theirs.
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n) {
      throw new ServiceError(Code.ALREADY_EXISTS, `There is a user named "${name}" already.`);
    }
    return { name };
  }

  /** Every user in the order of names (by code point), read page by page as the loop goes on. */
  async *list(): AsyncGenerator<User, void, undefined> {
    let last: string | undefined;
    for (;;) {
      const page = await this.#database
        .selectFrom('users')
        .select('name')
        .$if(last !== undefined, (query) => query.where('name', '>', last!))
        .orderBy('name')
        .limit(pageSize)
        .execute();
      yield* page;
      if (page.length < pageSize) return;
      last = page.at(-1)!.name;
      // libSQL answers within the same turn of the event loop. Without a next one, a long list would hold up all other
      // calls of the process, and the news that its own caller has gone.
      await setImmediate();
    }
  }
}
