import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock, type Clock } from '@holdfast/core';
import { Bell, VerbScope } from '@holdfast/core/driver';
import type { Changes, ConfigDriver, Reading } from '../driver.js';
import type { ConfigAddress, ConfigDriverDeps } from './config-address.js';
import { edited, NotEditable } from './file-edit.js';
import { FileLock } from './file-lock.js';
import { codeOf, FileLook, textOf } from './file-look.js';
import { readingOf, type FileTexts } from './file-sections.js';
import { FileWatch } from './file-watch.js';

/** `fs.watch` loses events: a waiting read looks this often by itself. */
const POLL_MS = 400;
/** Every so many looks the file is read, and its folders are compared, although nothing points to a change. */
const THOROUGH_EVERY = 10;
/** Events of one write come in a bunch; looks are at least this far apart. */
const SPACING_MS = 5;
/** A disk that does not answer for so long counts as unreachable. */
const DISK_MS = 5_000;

export interface FileOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default 30_000 */
  readonly maxWaitMs?: number;
}

/**
 * A YAML or JSON file whose top-level keys are the services' names. A single entry is a place in the service's section. What
 * the platform writes for itself is in `<file>.history.json` beside it. A file that is not there says nothing.
 */
export class FileDriver implements ConfigDriver {
  readonly name: string;
  readonly remote = false;
  readonly maxWaitMs: number;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #verbs: VerbScope;
  readonly #bell = new Bell();
  readonly #watch: FileWatch;
  readonly #look: FileLook;
  #parsed: { readonly texts: FileTexts; readonly readings: Map<string, Reading> };

  constructor(path: string, options: FileOptions = {}) {
    this.name = `the file ${path}`;
    this.maxWaitMs = options.maxWaitMs ?? 30_000;
    this.#path = resolve(path);
    this.#clock = options.clock ?? systemClock;
    this.#verbs = new VerbScope(this.name, this.#clock);
    this.#watch = new FileWatch(this.#path, this.#bell);
    this.#look = new FileLook(this.#path, this.#sidecar, this.#clock);
    this.#parsed = { texts: { main: undefined, sidecar: undefined }, readings: new Map() };
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Reading> {
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + DISK_MS;
    return this.#run('be read', signal, withinMs, (ended) => this.#read(service, after, ended));
  }

  write(service: string, changes: Changes, cursor: string, signal: AbortSignal): Promise<boolean> {
    return this.#run('be written to', signal, DISK_MS, async (ended) => {
      // A link stays one: what it leads to is written.
      const target = await realpath(this.#path).catch(() => this.#path);
      await mkdir(dirname(target), { recursive: true });
      return new FileLock(`${target}.lock`, this.#clock).hold(ended, async (held) => {
        const texts = { main: await textOf(this.#path), sidecar: await textOf(this.#sidecar) };
        if (readingOf(texts, service).cursor !== cursor) return false;
        const next = edited(texts, service, changes, extname(target) === '.json');
        ended.throwIfAborted();
        return (await held()) && this.#replace(target, texts, next);
      });
    });
  }

  close(): Promise<void> {
    this.#verbs.close();
    this.#watch.close();
    return Promise.resolve();
  }

  get #sidecar(): string {
    return `${this.#path}.history.json`;
  }

  async #read(service: string, after: string | undefined, ended: AbortSignal): Promise<Reading> {
    const until = this.#clock.now() + this.maxWaitMs;
    for (let looks = 0, rung = true; ; looks++) {
      // Nearly every look finds nothing, so all but a few of them are as cheap as can be.
      const thorough = rung || looks % THOROUGH_EVERY === 0;
      if (after !== undefined && (thorough || !this.#watch.complete)) await this.#watch.refresh();
      const heard = this.#bell.rings;
      const reading = this.#readingOf(await this.#look.texts(thorough, ended), service);
      const left = until - this.#clock.now();
      if (reading.cursor !== after || left <= 0) return reading;
      await sleep(this.#clock, Math.min(SPACING_MS, left), ended);
      await this.#bell.wait(heard, this.#clock, Math.min(POLL_MS, left), ended);
      rung = this.#bell.rings > heard;
    }
  }

  /** What the texts say of a service; texts that are as they were are not parsed again. */
  #readingOf(texts: FileTexts, service: string): Reading {
    const { main, sidecar } = this.#parsed.texts;
    if (main !== texts.main || sidecar !== texts.sidecar) this.#parsed = { texts, readings: new Map() };
    let reading = this.#parsed.readings.get(service);
    if (!reading) this.#parsed.readings.set(service, (reading = readingOf(texts, service)));
    return reading;
  }

  async #replace(target: string, before: FileTexts, after: FileTexts): Promise<boolean> {
    if (after.sidecar !== undefined && after.sidecar !== before.sidecar) {
      await writeWhole(this.#sidecar, after.sidecar, target);
    }
    if (after.main !== undefined && after.main !== before.main) await writeWhole(target, after.main, target);
    return true;
  }

  #run<T>(what: string, signal: AbortSignal, withinMs: number, work: (ended: AbortSignal) => Promise<T>): Promise<T> {
    return this.#verbs.run({ signal, withinMs }, async (ended) => {
      try {
        return await work(ended);
      } catch (error) {
        if (error instanceof NotEditable) throw new Error(`${this.name} ${error.message}.`, { cause: error });
        const code = codeOf(error);
        if (code === undefined) throw error;
        throw new Error(`${this.name} cannot ${what} (${code}).`, { cause: error });
      }
    });
  }
}

/** Writes by rename, so that no reader sees half of it; who may read it stays as it is for `like`. */
async function writeWhole(path: string, text: string, like: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, text);
    const mode = await stat(like).then(
      (stats) => stats.mode,
      () => undefined,
    );
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Opens `file:<path>`, absolute or relative to the working directory; the file may come later.
 * @throws StartupError when there is something under that name that cannot be read as a file
 */
export async function openFile(address: ConfigAddress, deps: ConfigDriverDeps): Promise<ConfigDriver> {
  address.query();
  const path = pathOf(address);
  try {
    await readFile(path);
  } catch (error) {
    const code = codeOf(error) ?? 'unknown reason';
    if (code === 'EISDIR') throw address.wrong('names a folder; name a file in it, such as file:config/holdfast.yaml');
    if (code !== 'ENOENT') throw address.wrong(`names a file that cannot be read (${code}); name one that can`);
  }
  return new FileDriver(path, deps);
}

function pathOf(address: ConfigAddress): string {
  if (address.body === '') throw address.wrong('names no file; write file:config/holdfast.yaml');
  if (!address.body.startsWith('//')) return address.body;
  try {
    return fileURLToPath(`file:${address.body}`);
  } catch {
    throw address.wrong(
      'has two slashes before a relative file; write file:folder/file.yaml or file:///folder/file.yaml',
    );
  }
}
