import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StartupError } from '@holdfast/core';
import { Kysely, sql } from 'kysely';
import { LibsqlDialect } from './libsql-dialect.js';

const example = 'write for example file:.holdfast/data.db';

/**
 * Opens the database that `url` names, and makes sure that it can be written to. `Tables` is how kysely is to see it.
 *
 * `file:<path>` is a libSQL (SQLite) file in WAL mode, relative to the working directory or absolute; it and its folder
 * are made where they do not exist. Any number of processes on one machine may open it at once.
 * @throws StartupError with a sentence for the operator; nothing of the URL but its scheme or its path is in it
 */
export async function openDatabase<Tables>(url: string): Promise<Kysely<Tables>> {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase();
  if (scheme === 'file:') return openFile<Tables>(filePath(url));
  throw new StartupError(
    scheme
      ? `DATABASE_URL has the scheme "${scheme}", and only "file:" is known: ${example}.`
      : `DATABASE_URL is not a URL: ${example}.`,
  );
}

/** The absolute path in a `file:` URL, which may be relative there as in SQLite's own URLs. */
function filePath(url: string): string {
  const rest = url.slice('file:'.length).replace(/^\/\/(?:localhost)?(?=\/)/, '');
  let path: string | undefined;
  try {
    path = decodeURIComponent(rest);
  } catch {
    // Not percent-encoded text: told below.
  }
  if (!path || rest.startsWith('//') || /[?#]/.test(rest) || /[/\0]$/.test(path) || path === ':memory:') {
    throw new StartupError(`DATABASE_URL must be file: and the path of a file, nothing else: ${example}.`);
  }
  return resolve(path);
}

async function openFile<Tables>(path: string): Promise<Kysely<Tables>> {
  try {
    await mkdir(dirname(path), { recursive: true });
    const database = new Kysely<Tables>({ dialect: new LibsqlDialect({ url: pathToFileURL(path).href }) });
    await checkWritable(database, path);
    return database;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(`The database file ${path} ${whyNot(error)}.`, { cause: error });
  }
}

async function checkWritable<Tables>(database: Kysely<Tables>, path: string): Promise<void> {
  // SQLite opens a write-protected file without a word; only what takes the write lock notices.
  const { rows } = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(database);
  if (rows[0]?.journal_mode === 'wal') return;
  throw new StartupError(
    `The database file ${path} is on a file system that cannot share it between processes: ` +
      'put it on a local disk, and its path into DATABASE_URL.',
  );
}

function whyNot(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return 'is not a database, or is damaged: move it away or let DATABASE_URL name another';
    case 'SQLITE_READONLY':
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'cannot be written to: give this user write access to it and to its folder, or let DATABASE_URL name another';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'cannot be made, for a part of its path is not a folder: let DATABASE_URL name another';
    default:
      return `cannot be opened${code && ` (${code})`}: let DATABASE_URL name a file that this user may read and write`;
  }
}
