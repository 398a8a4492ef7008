import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where what a remote store said last, and was good, survives a restart of the process. */
export interface ConfigSnapshots {
  /** The texts by path that were saved for `service` from the store `layer`; undefined where there is no readable snapshot. */
  load(layer: string, service: string): Promise<ReadonlyMap<string, string> | undefined>;
  save(layer: string, service: string, texts: ReadonlyMap<string, string>): Promise<void>;
}

interface SnapshotFile {
  readonly format: 1;
  readonly savedAt: string;
  readonly layer: string;
  readonly entries: Readonly<Record<string, string>>;
}

/** Snapshots as one JSON file a service and store in `folder`, written whole by rename and readable by its owner alone. */
export class FileConfigSnapshots implements ConfigSnapshots {
  constructor(private readonly folder: string) {}

  async load(layer: string, service: string): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const file = JSON.parse(await readFile(this.#path(layer, service), 'utf8')) as SnapshotFile;
      if (file.format !== 1 || file.layer !== layer) return undefined;
      return new Map(Object.entries(file.entries).filter(([, text]) => typeof text === 'string'));
    } catch {
      // Absent or damaged: a start without memory, which is what it would be without snapshots.
      return undefined;
    }
  }

  async save(layer: string, service: string, texts: ReadonlyMap<string, string>): Promise<void> {
    const entries = Object.fromEntries([...texts].sort());
    const content: SnapshotFile = { format: 1, savedAt: new Date().toISOString(), layer, entries };
    const path = this.#path(layer, service);
    const temporary = `${path}.${randomUUID()}`;
    await mkdir(this.folder, { recursive: true });
    try {
      // Settings may hold secrets.
      await writeFile(temporary, JSON.stringify(content, null, 2), { mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #path(layer: string, service: string): string {
    const store = createHash('sha256').update(layer).digest('hex').slice(0, 8);
    return join(this.folder, `${encodeURIComponent(service)}.${store}.json`);
  }
}
