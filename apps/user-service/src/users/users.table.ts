import type { Migrations } from '@holdfast/database';
import type { Kysely } from 'kysely';

/** The tables, as kysely sees them. */
export interface Tables {
  users: {
    /** As `userName` lets it through; the table orders and compares it by its bytes. */
    name: string;
  };
}

/** How the tables came to look as they do. One that was released is never changed: write another one. */
export const migrations: Migrations = {
  '0001_users': {
    async up(database: Kysely<Tables>) {
      await database.schema
        .createTable('users')
        .addColumn('name', 'text', (column) => column.primaryKey().notNull())
        .execute();
    },
  },
  // #region demo
  // A migration of its own, so that a demo user who was deleted does not come back with the next start.
  '0002_demo_users': {
    async up(database: Kysely<Tables>) {
      await database
        .insertInto('users')
        .values([{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }])
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
  },
  // #endregion
};
