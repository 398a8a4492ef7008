import {
  createClient,
  LibsqlError,
  type Client,
  type InStatement,
  type ResultSet,
  type Transaction,
} from '@libsql/client/sqlite3';
import { backoffDelay, CallContext, Code, ServiceError, sleep, systemClock } from '@holdfast/core';
import { Turns } from './turns.js';

export interface LibsqlFileOptions {
  /** `file:` and the path of the database; the folder must exist. */
  readonly url: string;
  /**
   * How long a statement or the start of a transaction waits for another writer to finish, in milliseconds.
   * @default 5_000
   */
  readonly busyTimeoutMs?: number;
}

/**
 * The file, and how to wait for it. A prepared statement that libSQL refuses with SQLITE_BUSY stays open until it is
 * garbage, and while it is open the connection commits nothing that follows, and says nothing. Statements that can be
 * refused must therefore go through `executeMultiple`, which closes them, or on a connection that is thrown away.
 */
export class LibsqlFile {
  /** For single reads: no transaction is ever open in it, so that it can be opened anew at any time. */
  readonly #reads: Client;
  readonly #transactions: Client;
  readonly #busyTimeoutMs: number;
  /** One writer of this process at a time asks for the lock: a crowd of callers then costs no more tries than one. */
  readonly #writers = new Turns();

  constructor({ url, busyTimeoutMs = 5_000 }: LibsqlFileOptions) {
    this.#reads = createClient({ url });
    this.#transactions = createClient({ url });
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** The file remembers the mode, whoever sets it first. */
  async useWal(): Promise<void> {
    await this.#untilFree(() => this.#transactions.executeMultiple('pragma journal_mode = wal'));
  }

  read(statement: InStatement): Promise<ResultSet> {
    return this.#untilFree(async () => {
      try {
        return await this.#reads.execute(statement);
      } catch (error) {
        // Rare in WAL mode: another process is just repairing the log that a third one left when it died.
        if (isBusy(error)) await this.#reads.reconnect();
        throw error;
      }
    });
  }

  async write(statement: InStatement): Promise<ResultSet> {
    const transaction = await this.begin('write');
    try {
      const result = await transaction.execute(statement);
      await transaction.end('commit');
      return result;
    } catch (error) {
      await transaction.end('rollback');
      throw error;
    }
  }

  async begin(mode: 'write' | 'read'): Promise<OpenTransaction> {
    const deadline = systemClock.now() + this.#busyTimeoutMs;
    if (mode === 'write') await this.#takeTurn();
    const end = mode === 'write' ? () => this.#writers.pass() : () => {};
    try {
      return new OpenTransaction(await this.#untilFree(() => this.#tryToBegin(mode), deadline), end);
    } catch (error) {
      end();
      throw error;
    }
  }

  close(): void {
    this.#reads.close();
    this.#transactions.close();
  }

  async #takeTurn(): Promise<void> {
    const caller = CallContext.current()?.signal;
    const late = () => AbortSignal.timeout(this.#busyTimeoutMs);
    try {
      await this.#writers.take(() => (caller ? AbortSignal.any([caller, late()]) : late()));
    } catch (error) {
      throw caller?.aborted ? caller.reason : busy(error);
    }
  }

  async #tryToBegin(mode: 'write' | 'read'): Promise<Transaction> {
    const transaction = await this.#transactions.transaction(mode === 'write' ? 'deferred' : 'read');
    try {
      // The client's own way to begin can be refused, and that statement would stay open. An empty transaction cannot.
      await transaction.executeMultiple(
        mode === 'write' ? 'commit; begin immediate' : 'select 1 from sqlite_schema limit 1',
      );
      return transaction;
    } catch (error) {
      transaction.close();
      throw error;
    }
  }

  /** Repeats `attempt` while another connection has the lock. Safe: a statement that is refused has done nothing. */
  async #untilFree<T>(attempt: () => Promise<T>, deadline = systemClock.now() + this.#busyTimeoutMs): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (systemClock.now() >= deadline) throw busy(error);
      }
      const delay = backoffDelay(tries, Math.random, { initialMs: 2, maxMs: 32, minMs: 1 });
      await sleep(systemClock, delay, CallContext.current()?.signal);
    }
  }
}

export class OpenTransaction {
  readonly #transaction: Transaction;
  #onEnd: (() => void) | undefined;

  constructor(transaction: Transaction, onEnd: () => void) {
    this.#transaction = transaction;
    this.#onEnd = onEnd;
  }

  execute(statement: InStatement): Promise<ResultSet> {
    return this.#transaction.execute(statement);
  }

  /** To roll back after a commit, also one that failed, does nothing. */
  async end(how: 'commit' | 'rollback'): Promise<void> {
    try {
      await this.#transaction[how]();
    } finally {
      this.#onEnd?.();
      this.#onEnd = undefined;
    }
  }
}

function busy(cause: unknown): ServiceError {
  return new ServiceError(Code.UNAVAILABLE, 'The database is busy.', { reason: 'DATABASE_BUSY', cause });
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof LibsqlError)) return false;
  // TRANSACTION_ACTIVE: open transactions hold all of the client's connections.
  return error.code === 'SQLITE_BUSY' || error.code === 'TRANSACTION_ACTIVE';
}
