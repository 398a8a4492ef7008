import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@holdfast/core';
import type { Answer } from '../driver.js';
import {
  isLeaseFile,
  isTemporary,
  leaseDigest,
  leasePrefix,
  parseLease,
  processIsGone,
  type Lease,
} from './file-lease.js';

/** How long a lease lives without a heartbeat: one may be missed. With a poll on top it stays below 3 s. */
const LEASE_MS = 2_500;
/** How long a dead lease is left in the folder before a reader tidies it away. */
const TIDY_AFTER_MS = 60_000;

/** What a reader remembers of a lease file between two looks. */
interface Seen {
  readonly ino: number;
  readonly mtimeMs: number;
  readonly digest: string;
  readonly lease: Lease | undefined;
  /** When the latest heartbeat was, on this process's monotonic clock: leases survive steps of the wall clock. */
  readonly beatAt: number;
  /** When this process last looked at it, on the same clock. */
  lookedAt: number;
}

/** Tells which leases of a folder live, from what it sees there look by look. */
export class LeaseReader {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Reads the folder. A folder that is not there has no instances: whoever registers makes it again. */
  async look(service: string): Promise<Answer> {
    const prefix = leasePrefix(service);
    const files = await readdir(this.#folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const own = files.filter((file) => isLeaseFile(file, prefix));
    const seen = await Promise.all(own.map((file) => this.#see(file, service)));
    for (const file of this.#seen.keys()) {
      if (isLeaseFile(file, prefix) && !own.includes(file)) this.#seen.delete(file);
    }
    for (const file of files.filter(isTemporary)) void this.#tidyTemporary(file);
    const alive = seen.filter((one) => one !== undefined);
    const digests = alive.map((one) => one.digest).sort();
    return {
      instances: alive.map((one) => one.lease.instance),
      cursor: createHash('sha1').update(digests.join()).digest('base64url'),
    };
  }

  /** One lease, if it lives. */
  async #see(file: string, service: string): Promise<(Seen & { lease: Lease }) | undefined> {
    const path = join(this.#folder, file);
    const seen = await this.#refresh(file, path, service).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (!seen?.lease) return undefined;
    const { lease } = seen;
    const silentMs = this.#clock.now() - seen.beatAt;
    if (silentMs <= LEASE_MS && !processIsGone(lease)) return { ...seen, lease };
    if (silentMs > TIDY_AFTER_MS) await rm(path, { force: true });
    return undefined;
  }

  /** Reads the file where it is another one, or has another heartbeat, than at the last look. */
  async #refresh(file: string, path: string, service: string): Promise<Seen> {
    const stats = await stat(path);
    const before = this.#seen.get(file);
    const now = this.#clock.now();
    if (before && before.ino === stats.ino && before.mtimeMs === stats.mtimeMs) {
      before.lookedAt = now;
      return before;
    }
    const text = await readFile(path, 'utf8');
    const digest = leaseDigest(text);
    const seen: Seen = {
      ino: stats.ino,
      mtimeMs: stats.mtimeMs,
      digest,
      // A heartbeat alone leaves the instance the object that it was.
      lease: before?.digest === digest ? before.lease : parseLease(text, service),
      // A new beat is younger than the last look; at first sight only the wall clock can tell how old it is.
      beatAt: now - Math.min(this.#ageMs(stats), before ? now - before.lookedAt : Infinity),
      lookedAt: now,
    };
    this.#seen.set(file, seen);
    return seen;
  }

  async #tidyTemporary(file: string): Promise<void> {
    const path = join(this.#folder, file);
    const stats = await stat(path).catch(() => undefined);
    if (stats && this.#ageMs(stats) > TIDY_AFTER_MS) await rm(path, { force: true }).catch(() => {});
  }

  #ageMs(stats: Stats): number {
    return Math.max(0, this.#clock.wallTime() - stats.mtimeMs);
  }
}

/** The system's code of a failed file operation, such as `ENOENT`; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}
