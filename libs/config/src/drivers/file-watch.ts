import { watch, type FSWatcher } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Bell } from '@holdfast/core/driver';

/**
 * Rings when something changes in the folder of a file, or in that of the file which it is a link to. It only makes a change
 * show sooner: where the system has no watches left, or loses an event, polling finds it.
 */
export class FileWatch {
  readonly #path: string;
  readonly #bell: Bell;
  readonly #watched = new Map<string, { readonly events: FSWatcher; readonly identity: string }>();
  #complete = false;
  #closed = false;

  constructor(path: string, bell: Bell) {
    this.#path = path;
    this.#bell = bell;
  }

  /** Watches the folders that matter by now: a folder may come late, or be another one under its old name. */
  async refresh(): Promise<void> {
    const target = await realpath(this.#path).catch(() => this.#path);
    const folders = new Set([dirname(this.#path), dirname(target)]);
    for (const folder of this.#watched.keys()) if (!folders.has(folder)) this.#drop(folder);
    for (const folder of folders) await this.#watch(folder);
    this.#complete = [...folders].every((folder) => this.#watched.has(folder));
  }

  /** Whether it hears of all that matters, as far as it knows. */
  get complete(): boolean {
    return this.#complete;
  }

  close(): void {
    this.#closed = true;
    for (const folder of this.#watched.keys()) this.#drop(folder);
  }

  async #watch(folder: string): Promise<void> {
    const stats = await stat(folder).catch(() => undefined);
    const identity = stats && `${stats.dev} ${stats.ino} ${stats.birthtimeMs}`;
    if (identity !== undefined && this.#watched.get(folder)?.identity === identity) return;
    this.#drop(folder);
    if (identity === undefined || this.#closed) return;
    try {
      const events = watch(folder, (_type, name) => {
        if (this.#concerns(name)) this.#bell.ring();
      });
      events.on('error', () => this.#drop(folder));
      this.#watched.set(folder, { events, identity });
    } catch {
      // The system has no watches left.
    }
  }

  /** Locks and half-written copies come and go with every write, and say nothing. */
  #concerns(name: string | null): boolean {
    if (name === null || name.startsWith('..')) return true;
    return !name.endsWith('.lock') && !name.endsWith('.tmp') && !name.startsWith(`${basename(this.#path)}.lock.`);
  }

  #drop(folder: string): void {
    this.#watched.get(folder)?.events.close();
    if (this.#watched.delete(folder)) this.#complete = false;
  }
}
