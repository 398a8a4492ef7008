import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from './driver.js';

/** Where the last good view of each service survives a restart of the process. */
export interface Snapshots {
  /** The saved instances; empty where there is no readable snapshot. */
  load(service: string): Promise<readonly Instance[]>;
  save(service: string, instances: readonly Instance[]): Promise<void>;
}

interface SnapshotFile {
  readonly format: 1;
  readonly savedAt: string;
  readonly instances: readonly Instance[];
}

/** Snapshots as one JSON file a service in `folder`, written whole by rename, so that a reader never sees half of one. */
export class FileSnapshots implements Snapshots {
  constructor(private readonly folder: string) {}

  async load(service: string): Promise<readonly Instance[]> {
    try {
      const file = JSON.parse(await readFile(this.#path(service), 'utf8')) as SnapshotFile;
      return file.format === 1 && Array.isArray(file.instances) ? file.instances : [];
    } catch {
      // Absent or damaged: a cold start without memory, which is what it would be without snapshots.
      return [];
    }
  }

  async save(service: string, instances: readonly Instance[]): Promise<void> {
    const content: SnapshotFile = { format: 1, savedAt: new Date().toISOString(), instances };
    const path = this.#path(service);
    const temporary = `${path}.${randomUUID()}`;
    await mkdir(this.folder, { recursive: true });
    try {
      await writeFile(temporary, JSON.stringify(content, null, 2));
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #path(service: string): string {
    return join(this.folder, `${encodeURIComponent(service)}.json`);
  }
}
