import { watch, type FSWatcher } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock, type Clock } from '@holdfast/core';
import { Bell, VerbScope } from '@holdfast/core/driver';
import type { Answer, Instance, RegistryDriver } from '../driver.js';
import { isTemporary, leaseFile, leaseText, temporaryFile } from './file-lease.js';
import { codeOf, isMissing, LeaseReader } from './file-reader.js';
import type { RegistryAddress, RegistryDeps } from './registry-address.js';

/** `fs.watch` loses events, and a process that dies makes none: a waiting read looks this often by itself. */
const POLL_MS = 400;
/** A disk that does not answer for so long counts as unreachable. */
const DISK_MS = 5_000;

export interface FileOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 30_000 */
  readonly maxWaitMs?: number;
}

/**
 * A folder with one small file for each instance, whose modification time is the heartbeat. A process that dies on this
 * machine is noticed by its process id within one poll, any other by its heartbeats.
 */
export class FileDriver implements RegistryDriver {
  readonly name: string;
  readonly renewEveryMs = 1_000;
  readonly propagationMs = 500;
  readonly maxWaitMs: number;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #verbs: VerbScope;
  readonly #bell = new Bell();
  readonly #reader: LeaseReader;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #watcher: { readonly events: FSWatcher; readonly folder: string } | undefined;
  #closed = false;

  constructor(folder: string, options: FileOptions = {}) {
    this.name = `the folder ${folder}`;
    this.maxWaitMs = options.maxWaitMs ?? 30_000;
    this.#folder = folder;
    this.#clock = options.clock ?? systemClock;
    this.#verbs = new VerbScope(this.name, this.#clock);
    this.#reader = new LeaseReader(folder, this.#clock);
  }

  register(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#write(signal, async (ended) => {
      const file = leaseFile(instance);
      const temporary = join(this.#folder, temporaryFile());
      await mkdir(this.#folder, { recursive: true });
      await writeFile(temporary, leaseText(instance));
      await this.#beat(temporary);
      ended.throwIfAborted();
      await rename(temporary, join(this.#folder, file));
    });
  }

  renew(instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#write(signal, async () => {
      const path = join(this.#folder, leaseFile(instance));
      try {
        // A file that somebody damaged is as good as none: registering again makes it whole.
        if ((await readFile(path, 'utf8')) !== leaseText(instance)) return false;
        await this.#beat(path);
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    });
  }

  deregister(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#write(signal, () => rm(join(this.#folder, leaseFile(instance)), { force: true }));
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + DISK_MS;
    return this.#run('be read', signal, (ended) => this.#read(service, after, ended), withinMs);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#verbs.close();
    this.#watcher?.events.close();
    this.#watcher = undefined;
    return Promise.resolve();
  }

  async #read(service: string, after: string | undefined, ended: AbortSignal): Promise<Answer> {
    const until = this.#clock.now() + this.maxWaitMs;
    for (;;) {
      if (after !== undefined) await this.#watch();
      const heard = this.#bell.rings;
      const answer = await this.#reader.look(service);
      const left = until - this.#clock.now();
      if (answer.cursor !== after || left <= 0) return answer;
      await this.#bell.wait(heard, this.#clock, Math.min(POLL_MS, left), ended);
    }
  }

  /** Listens to the folder; again, when it is another one by now because somebody removed it. */
  async #watch(): Promise<void> {
    const stats = await stat(this.#folder).catch(() => undefined);
    const folder = stats && `${stats.ino} ${stats.birthtimeMs}`;
    if (folder && folder === this.#watcher?.folder) return;
    this.#watcher?.events.close();
    this.#watcher = undefined;
    if (!folder || this.#closed) return;
    try {
      const events = watch(this.#folder, (type, file) => {
        // A heartbeat is a 'change', a lease that comes or goes is a 'rename'; only that is worth a look.
        if (type === 'rename' && !isTemporary(file ?? '')) this.#bell.ring();
      });
      const watcher = { events, folder };
      events.on('error', () => {
        events.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // The system has no watches left: polling alone keeps the promise of propagationMs.
    }
  }

  #beat(path: string): Promise<void> {
    const now = new Date(this.#clock.wallTime());
    return utimes(path, now, now);
  }

  /**
   * One write after the other: a registration that was given up while it was written must not come back after the
   * instance was taken out.
   */
  #write<T>(signal: AbortSignal, work: (ended: AbortSignal) => Promise<T>): Promise<T> {
    return this.#run('be written to', signal, (ended) => {
      const turn = this.#lastWrite.then(() => {
        ended.throwIfAborted();
        return work(ended);
      });
      this.#lastWrite = turn.catch(() => {});
      return turn;
    });
  }

  async #run<T>(
    what: string,
    signal: AbortSignal,
    work: (ended: AbortSignal) => Promise<T>,
    withinMs = DISK_MS,
  ): Promise<T> {
    return this.#verbs.run({ signal, withinMs }, async (ended) => {
      try {
        return await work(ended);
      } catch (error) {
        const code = codeOf(error);
        if (code === undefined) throw error;
        throw new Error(`${this.name} cannot ${what} (${code}).`, { cause: error });
      }
    });
  }
}

/**
 * Opens `file:<folder>`, absolute or relative to the working directory, and makes the folder where there is none.
 * @throws StartupError when the folder cannot be made, read or written
 */
export async function openFile(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  address.query();
  const folder = folderOf(address);
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    await readdir(folder);
  } catch (error) {
    throw address.wrong(
      `names a folder that cannot be used (${codeOf(error) ?? 'unknown reason'}); ` +
        'name one that this process may read and write, such as file:.holdfast/registry',
    );
  }
  return new FileDriver(folder, deps);
}

function folderOf(address: RegistryAddress): string {
  if (address.body === '') throw address.wrong('names no folder; write file:.holdfast/registry');
  if (!address.body.startsWith('//')) return resolve(address.body);
  try {
    return fileURLToPath(`file:${address.body}`);
  } catch {
    throw address.wrong('has two slashes before a relative folder; write file:folder or file:///folder');
  }
}
