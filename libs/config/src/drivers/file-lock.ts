import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { sleep, type Clock } from '@holdfast/core';

/** Who holds a lock for longer has died or hangs: it is for one write of a small file. */
const STALE_MS = 10_000;
const RETRY_MS = 15;

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

/** The right to write a file, which one process at a time has: a file that only one can make. */
export class FileLock {
  readonly #path: string;
  readonly #clock: Clock;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /**
   * Does `work` while nobody else does. `work` gets a function that tells whether the lock is still its own, to be asked right
   * before what cannot be undone.
   * @throws the signal's reason when it aborts while waiting
   */
  async hold<T>(signal: AbortSignal, work: (held: () => Promise<boolean>) => Promise<T>): Promise<T> {
    const own: Holder = { pid: process.pid, host: hostname(), token: randomUUID() };
    while (!(await this.#take(own))) {
      await this.#breakStale();
      await sleep(this.#clock, RETRY_MS, signal);
    }
    const held = async () => (await this.#holder())?.token === own.token;
    try {
      return await work(held);
    } finally {
      if (await held()) await rm(this.#path, { force: true });
    }
  }

  async #take(own: Holder): Promise<boolean> {
    try {
      await writeFile(this.#path, JSON.stringify(own), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  async #holder(): Promise<Holder | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as Holder;
    } catch {
      return undefined;
    }
  }

  /** Takes away the lock of one who died. */
  async #breakStale(): Promise<void> {
    const holder = await this.#holder();
    const age = await stat(this.#path).then(
      ({ mtimeMs }) => this.#clock.wallTime() - mtimeMs,
      () => 0,
    );
    if (age < STALE_MS && !(holder && isGone(holder))) return;
    // Moved away first: of several who see it stale, one moves it, and may find that it moved the lock of a quicker one.
    const aside = `${this.#path}.${randomUUID()}`;
    try {
      await rename(this.#path, aside);
      const moved = JSON.parse(await readFile(aside, 'utf8').catch(() => '{}')) as Partial<Holder>;
      if (moved.token !== holder?.token) await link(aside, this.#path).catch(() => {});
    } catch {
      // Another one was quicker, or what was moved is no holder's: nothing that must be kept.
    }
    await rm(aside, { force: true });
  }
}

function isGone({ pid, host }: Holder): boolean {
  if (host !== hostname() || !Number.isInteger(pid)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
