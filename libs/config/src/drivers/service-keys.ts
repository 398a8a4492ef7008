import { createHash } from 'node:crypto';

/** One key as a store of keys and values holds it. */
export interface StoredKey {
  readonly key: string;
  readonly value: string;
  /** Grows with every write: etcd's `mod_revision`, Consul's `ModifyIndex`. */
  readonly version: number;
}

/**
 * Where a service's entries are in a store of keys and values: the document at `<prefix>/<service>`, an entry
 * `greeting.template` at `<prefix>/<service>/greeting/template`.
 *
 * In a key a dot separates as well as a slash, so `resilience/users.get/timeout` and `resilience/users/get/timeout` are two
 * spellings of one path. What was written later counts; of two that were written in one step, the one that comes later in
 * the order of keys, which is the one with slashes. A slash inside a path is `%2F` in the key, and a percent sign `%25`.
 * Empty parts are left out, and keys that end with a slash are folders' marks and no entries.
 */
export class ServiceKeys {
  /** The key of the document. */
  readonly document: string;
  /** What every other key of the service begins with. */
  readonly folder: string;

  /** @param prefix without a slash at its end; empty for none */
  constructor(prefix: string, service: string) {
    this.document = prefix === '' ? service : `${prefix}/${service}`;
    this.folder = `${this.document}/`;
  }

  /** The path that a key holds; undefined when it is not the service's, or no entry. */
  pathOf(key: string): string | undefined {
    if (key === this.document) return '';
    if (!key.startsWith(this.folder) || key.endsWith('/')) return undefined;
    const parts = key.slice(this.folder.length).split('/');
    const path = parts.filter((part) => part !== '').join('.');
    return path.replace(/%(2F|25)/gi, (_, code: string) => (code === '25' ? '%' : '/'));
  }

  /** The key to write a path to. @throws Error when the path would be read back as another one */
  keyOf(path: string): string {
    const lead = path.startsWith('.') ? '.' : '';
    const spelled = path.slice(lead.length).replaceAll('%', '%25').replaceAll('/', '%2F').replaceAll('.', '/');
    const key = path === '' ? this.document : this.folder + lead + spelled;
    if (this.pathOf(key) !== path) throw new Error(`"${path}" is no path of a setting: it has an empty part.`);
    return key;
  }
}

/** All that a store holds for one service at one moment. */
export class StoredKeys {
  /** Texts by path. */
  readonly entries: ReadonlyMap<string, string>;
  /** The same for the same keys, versions and values. */
  readonly digest: string;
  readonly #spellings = new Map<string, StoredKey[]>();

  /**
   * @param stored in the order of their keys; those that are no entries are left out
   * @param hidden a key that is the driver's own: it counts for the digest, but is no entry
   */
  constructor(keys: ServiceKeys, stored: Iterable<StoredKey>, hidden?: string) {
    const hash = createHash('sha256');
    const latest = new Map<string, StoredKey>();
    for (const one of stored) {
      const path = keys.pathOf(one.key);
      if (path === undefined) continue;
      hash.update(`${one.key}\0${one.version}\0${one.value}\0`);
      const spellings = this.#spellings.get(path);
      if (spellings) spellings.push(one);
      else this.#spellings.set(path, [one]);
      if (one.key !== hidden && one.version >= (latest.get(path)?.version ?? 0)) latest.set(path, one);
    }
    this.entries = new Map([...latest].map(([path, { value }]) => [path, value]));
    this.digest = hash.digest('base64url').slice(0, 22);
  }

  /** Every key that holds the path. */
  at(path: string): readonly StoredKey[] {
    return this.#spellings.get(path) ?? [];
  }

  /** Every key, those of `first` before all others. */
  *all(first: Iterable<string>): Iterable<StoredKey> {
    const paths = new Set([...first, ...this.#spellings.keys()]);
    for (const path of paths) yield* this.at(path);
  }
}
