import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, LibsqlError, type Client } from '@libsql/client/sqlite3';
import { CallContext, Cancelled, Code, StartupError } from '@holdfast/core';
import { Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase } from './database.js';
import { LibsqlDialect } from './libsql-dialect.js';
import { migrate, type Migrations } from './migrate.js';

interface Tables {
  users: { name: string };
}

const migrations: Migrations = {
  '0001_users': {
    async up(database: Kysely<Tables>) {
      await database.schema
        .createTable('users')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .execute();
    },
  },
  '0002_some_users': {
    async up(database: Kysely<Tables>) {
      await database
        .insertInto('users')
        .values([{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }])
        .execute();
    },
  },
};

let folder: string;
const opened: Kysely<Tables>[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'database-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map((database) => database.destroy()));
  await rm(folder, { recursive: true, force: true });
});

async function open(url = `file:${folder}/users.db`): Promise<Kysely<Tables>> {
  const database = await openDatabase<Tables>(url);
  opened.push(database);
  return database;
}

/** The same file through a dialect that waits for the lock only this long. */
function impatient(busyTimeoutMs: number): Kysely<Tables> {
  const dialect = new LibsqlDialect({ url: `file:${folder}/users.db`, busyTimeoutMs });
  const database = new Kysely<Tables>({ dialect });
  opened.push(database);
  return database;
}

async function names(database: Kysely<Tables>): Promise<string[]> {
  const rows = await database.selectFrom('users').select('name').orderBy('name').execute();
  return rows.map(({ name }) => name);
}

async function refusal(url: string): Promise<string> {
  const error = await open(url).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StartupError);
  return (error as StartupError).message;
}

describe('openDatabase', () => {
  it('makes the file and its folders, with any characters in the path, in WAL mode', async () => {
    const database = await open(`file:${folder}/new/with%20space%3F%23/ü.db`);
    const { rows } = await sql`pragma journal_mode`.execute(database);
    expect(rows).toEqual([{ journal_mode: 'wal' }]);
    expect((await stat(join(folder, 'new/with space?#/ü.db'))).isFile()).toBe(true);
  });

  it.each(['file://', 'file://localhost'])('takes an absolute path after %s', async (start) => {
    await open(`${start}${folder}/users.db`);
    expect((await stat(join(folder, 'users.db'))).isFile()).toBe(true);
  });

  it.each([
    ['postgres://admin:s3cret@db/users', 'DATABASE_URL has the scheme "postgres:", and only "file:" is known'],
    ['s3cret', 'DATABASE_URL is not a URL'],
    ['/var/s3cret.db', 'DATABASE_URL is not a URL'],
    ['', 'DATABASE_URL is not a URL'],
    ['file:', 'DATABASE_URL must be file: and the path of a file'],
    ['file:folder/', 'DATABASE_URL must be file: and the path of a file'],
    ['file::memory:', 'DATABASE_URL must be file: and the path of a file'],
    ['file:users.db?authToken=s3cret', 'DATABASE_URL must be file: and the path of a file'],
    ['file://admin:s3cret@db/users', 'DATABASE_URL must be file: and the path of a file'],
    ['file:%E0%A4', 'DATABASE_URL must be file: and the path of a file'],
  ])('refuses %s with what to write instead, and gives no secret away', async (url, start) => {
    const message = await refusal(url);
    expect(message).toContain(start);
    expect(message).toContain('write for example file:.holdfast/data.db');
    expect(message).not.toContain('s3cret');
  });

  it('refuses a file that is no database, and leaves it as it is', async () => {
    const path = join(folder, 'notes.txt');
    await writeFile(
      path,
      'Shopping list: bread, milk, and enough text to be longer than a header of a database.\n'.repeat(20),
    );
    const before = (await stat(path)).mtimeMs;
    expect(await refusal(`file:${path}`)).toBe(
      `The database file ${path} is not a database, or is damaged: move it away or let DATABASE_URL name another.`,
    );
    expect((await stat(path)).mtimeMs).toBe(before);
  });

  it('refuses a folder', async () => {
    await mkdir(join(folder, 'users.db'));
    expect(await refusal(`file:${folder}/users.db`)).toContain('cannot be opened');
  });

  it('refuses a path that goes through a file', async () => {
    await writeFile(join(folder, 'file'), '');
    expect(await refusal(`file:${folder}/file/users.db`)).toContain('a part of its path is not a folder');
    expect(await refusal(`file:${folder}/file/deeper/users.db`)).toContain('a part of its path is not a folder');
  });

  it('refuses a file or a folder that it may not write to', async () => {
    await writeFile(join(folder, 'users.db'), '');
    await chmod(join(folder, 'users.db'), 0o444);
    await chmod(folder, 0o555);
    // Root may write everywhere.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.('nobody');
    try {
      expect(await refusal(`file:${folder}/users.db`)).toContain('write access');
      expect(await refusal(`file:${folder}/new/users.db`)).toContain('write access');
      expect(await refusal(`file:${folder}/new.db`)).toContain(`The database file ${folder}/new.db cannot be opened`);
    } finally {
      if (root) process.seteuid?.(0);
      await chmod(folder, 0o755);
    }
  });
});

describe('transactions', () => {
  beforeEach(async () => {
    await migrate(await open(), migrations);
  });

  it('undo everything when they fail', async () => {
    const database = await open();
    const failed = database.transaction().execute(async (transaction) => {
      await transaction.insertInto('users').values({ name: 'dave' }).execute();
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    expect(await names(database)).toEqual(['alice', 'bob', 'carol']);
  });

  it('take turns: more of them at once than the client has connections', async () => {
    const database = await open();
    const counts = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        database.transaction().execute(async (transaction) => {
          const before = await names(transaction);
          await transaction
            .insertInto('users')
            .values({ name: `user${String(i).padStart(2, '0')}` })
            .execute();
          return before.length;
        }),
      ),
    );
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 3));
  });

  it('that only read go on beside one that writes', async () => {
    const writer = await open();
    const reader = await open();
    await writer.transaction().execute(async (transaction) => {
      await transaction.insertInto('users').values({ name: 'dave' }).execute();
      const seen = await reader.transaction().setAccessMode('read only').execute(names);
      expect(seen).toEqual(['alice', 'bob', 'carol']);
    });
    expect(await names(reader)).toContain('dave');
  });

  it('of another process make a write wait, and answer UNAVAILABLE when it has waited too long', async () => {
    const holder = await open();
    const waiting = impatient(50);
    await holder.transaction().execute(async () => {
      const late = waiting.insertInto('users').values({ name: 'dave' }).execute();
      await expect(late).rejects.toMatchObject({ code: Code.UNAVAILABLE, reason: 'DATABASE_BUSY' });
      const lateToo = waiting.transaction().execute(async () => {});
      await expect(lateToo).rejects.toMatchObject({ code: Code.UNAVAILABLE, reason: 'DATABASE_BUSY' });
    });
    await waiting.insertInto('users').values({ name: 'dave' }).execute();
    expect(await names(holder)).toContain('dave');
  });

  it('are not waited for once the caller has gone', async () => {
    const holder = await open();
    const waiting = impatient(60_000);
    const caller = new AbortController();
    const gone = new Cancelled('the caller has gone');
    await holder.transaction().execute(async () => {
      const write = CallContext.run(new CallContext({ signal: caller.signal }), () =>
        waiting.insertInto('users').values({ name: 'dave' }).execute(),
      );
      caller.abort(gone);
      await expect(write).rejects.toBe(gone);
    });
    expect(await names(holder)).not.toContain('dave');
  });
});

describe('a read', () => {
  it('that is refused is repeated on a new connection: the old one would show it the same moment for ever', async () => {
    const database = await open();
    await migrate(database, migrations);
    const client = createClient({ url: `file:${folder}/users.db` });
    const clients = Object.getPrototypeOf(client) as Client;
    client.close();
    const execute = vi.spyOn(clients, 'execute').mockRejectedValueOnce(new LibsqlError('locked', 'SQLITE_BUSY'));
    const reconnect = vi.spyOn(clients, 'reconnect');
    expect(await names(database)).toEqual(['alice', 'bob', 'carol']);
    expect(execute).toHaveBeenCalledTimes(2);
    expect(reconnect).toHaveBeenCalledTimes(1);
  });
});

describe('migrate', () => {
  it('does each once', async () => {
    const database = await open();
    await migrate(database, migrations);
    await database.deleteFrom('users').where('name', '=', 'bob').execute();
    await migrate(database, migrations);
    expect(await names(database)).toEqual(['alice', 'carol']);
  });

  it('refuses a database of a newer release', async () => {
    const database = await open();
    await migrate(database, migrations);
    await sql`insert into kysely_migration values ('9999_future', '2030-01-01T00:00:00.000Z')`.execute(database);
    await expect(migrate(database, migrations)).rejects.toThrow(/9999_future/);
    await expect(migrate(database, migrations)).rejects.toBeInstanceOf(StartupError);
  });

  it('leaves nothing behind when one of them fails', async () => {
    const database = await open();
    await sql`create table users (something integer)`.execute(database);
    await expect(migrate(database, migrations)).rejects.toThrow(/is as it was before: 0001_users failed/);
    const { rows } = await sql`select name from kysely_migration`.execute(database);
    expect(rows).toEqual([]);
  });
});
