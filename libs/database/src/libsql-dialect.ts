import type { InStatement, ResultSet } from '@libsql/client/sqlite3';
import {
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  type TransactionSettings,
} from 'kysely';
import { LibsqlFile, type LibsqlFileOptions, type OpenTransaction } from './libsql-file.js';

/**
 * Kysely over a local libSQL file that several processes write at once, in WAL mode: readers never wait. Transactions take
 * the write lock when they begin (`BEGIN IMMEDIATE`), so that none of them fails halfway for want of it;
 * `setAccessMode('read only')` takes none. Outside of a transaction, whatever is not a `select` runs in one of its own.
 *
 * Who must wait for the lock waits here, between the turns of the event loop, and not in libSQL, which runs in the same
 * thread: its own busy timeout would hold up every other call of the process, and the one that has the lock with them.
 *
 * Queries throw ServiceError UNAVAILABLE, reason DATABASE_BUSY, once they have waited too long; the reason of the call's
 * signal when the caller goes away during the wait; LibsqlError for everything else.
 */
export class LibsqlDialect implements Dialect {
  readonly #options: LibsqlFileOptions;

  constructor(options: LibsqlFileOptions) {
    this.#options = options;
  }

  createDriver(): Driver {
    return new LibsqlDriver(this.#options);
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): SqliteAdapter {
    return new LibsqlAdapter();
  }

  createIntrospector(database: Kysely<unknown>): SqliteIntrospector {
    return new SqliteIntrospector(database);
  }
}

class LibsqlAdapter extends SqliteAdapter {
  /** It is true of SQLite, and it makes kysely's migrator run inside one transaction: the write lock is its lock. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class LibsqlDriver implements Driver {
  readonly #options: LibsqlFileOptions;
  #file: LibsqlFile | undefined;

  constructor(options: LibsqlFileOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    this.#file = new LibsqlFile(this.#options);
    await this.#file.useWal();
  }

  async acquireConnection(): Promise<LibsqlConnection> {
    return new LibsqlConnection(this.#file!);
  }

  async beginTransaction(connection: LibsqlConnection, { accessMode }: TransactionSettings): Promise<void> {
    await connection.begin(accessMode === 'read only' ? 'read' : 'write');
  }

  async commitTransaction(connection: LibsqlConnection): Promise<void> {
    await connection.end('commit');
  }

  async rollbackTransaction(connection: LibsqlConnection): Promise<void> {
    await connection.end('rollback');
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#file?.close();
  }
}

/** Kysely's idea of a connection. The client pools the real ones: only a transaction holds on to one. */
class LibsqlConnection implements DatabaseConnection {
  readonly #file: LibsqlFile;
  #transaction: OpenTransaction | undefined;

  constructor(file: LibsqlFile) {
    this.#file = file;
  }

  async begin(mode: 'write' | 'read'): Promise<void> {
    this.#transaction = await this.#file.begin(mode);
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    await transaction?.end(how);
  }

  async executeQuery<Row>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<Row>> {
    // Kysely types parameters as unknown; the client checks each and throws on what SQLite cannot hold.
    const statement = { sql, args: [...parameters] } as InStatement;
    if (this.#transaction) return toQueryResult(await this.#transaction.execute(statement));
    if (SelectQueryNode.is(query)) return toQueryResult(await this.#file.read(statement));
    return toQueryResult(await this.#file.write(statement));
  }

  // oxlint-disable-next-line require-yield -- kysely's type asks for a generator; there is nothing to yield
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('libSQL reads a result as a whole: ask for one page of rows after the other.');
  }
}

function toQueryResult<Row>({ columns, rows, rowsAffected }: ResultSet): QueryResult<Row> {
  // The client does not count the rows of a statement that returns some: absent is truer than 0.
  if (columns.length > 0) return { rows: rows as Row[] };
  return { rows: [], numAffectedRows: BigInt(rowsAffected) };
}
