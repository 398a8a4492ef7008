import { StartupError } from '@holdfast/core';
import { Migrator, type Kysely, type Migration } from 'kysely';

/**
 * How a database came to look as it does, in the order of the names. A migration that was released is never changed.
 * While replicas are replaced one by one, the old ones still work on the new tables: a migration adds, and what nobody
 * needs any more is taken away by a later release.
 */
export type Migrations = Readonly<Record<string, Migration>>;

/**
 * Brings the tables up to date. Every replica does so when it starts: the first one that gets the write lock runs what
 * is missing, all of it or nothing, and the others find it done.
 * @throws StartupError where a migration fails, and where a newer release has migrated the database already
 */
export async function migrate<Tables>(database: Kysely<Tables>, migrations: Migrations): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = results?.find(({ status }) => status === 'Error')?.migrationName;
  const reason = error instanceof Error ? error.message : String(error);
  throw new StartupError(
    failed
      ? `The database could not be migrated, and is as it was before: ${failed} failed (${reason}).`
      : `The database could not be migrated, and is as it was before: ${reason}.`,
    { cause: error },
  );
}
