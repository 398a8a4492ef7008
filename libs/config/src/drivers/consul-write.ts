import type { Changes } from '../driver.js';
import type { ServiceKeys, StoredKeys } from './service-keys.js';

/** Consul's own limit to what one transaction does and checks. */
const MAX_OPERATIONS = 64;
/** Consul's own limit to one value, in bytes. */
const MAX_VALUE = 512 * 1024;

/** One step of a transaction, in Consul's words. */
export interface ConsulOperation {
  readonly KV: {
    readonly Verb: 'cas' | 'delete-cas' | 'check-index' | 'check-not-exists';
    readonly Key: string;
    readonly Index?: number;
    /** Base64. */
    readonly Value?: string;
  };
}

/**
 * The key that every write changes, and whose last version every write expects: two writers that have read the same never
 * both win, whatever they write. Nothing else could tell one of the other's new key. It is no entry.
 */
export const guardKey = (keys: ServiceKeys): string => `${keys.folder}.guard`;

/**
 * The transaction that makes the changes if the keys are still as they were. Every key that is changed is checked, and of
 * the others as many as there is room for; beyond that the guard tells of every writer that knows it. So what a writer that does
 * not (Consul's own tools) does to another key in the milliseconds between the reading and the transaction can go unseen.
 *
 * @param store the store's name, for the sentence
 * @param stamp what the guard becomes: something new, since Consul takes the same value for no change
 * @throws Error with a sentence when Consul could not take it
 */
export function transactionOf(
  store: string,
  keys: ServiceKeys,
  stored: StoredKeys,
  changes: Changes,
  stamp: string,
): readonly ConsulOperation[] {
  const operations = new Map<string, ConsulOperation>();
  const guard = keys.pathOf(guardKey(keys)) ?? '';
  const versionOf = (path: string, key: string) => stored.at(path).find((one) => one.key === key)?.version;
  const put = (path: string, key: string, text: string) => {
    const size = Buffer.byteLength(text);
    if (size > MAX_VALUE) throw new Error(`${store} takes ${MAX_VALUE} bytes for one key, not ${size} ("${key}").`);
    const Value = Buffer.from(text).toString('base64');
    operations.set(key, { KV: { Verb: 'cas', Key: key, Index: versionOf(path, key) ?? 0, Value } });
  };
  put(guard, guardKey(keys), stamp);
  for (const [path, text] of changes) {
    if (text !== undefined) put(path, keys.keyOf(path), text);
    // A path that is written is taken out of its other spellings, one that is deleted out of all.
    for (const { key, version } of stored.at(path)) {
      if (!operations.has(key)) operations.set(key, { KV: { Verb: 'delete-cas', Key: key, Index: version } });
    }
  }
  if (operations.size > MAX_OPERATIONS) {
    throw new Error(`${store} takes ${MAX_OPERATIONS - 1} changes in one step, not ${operations.size - 1}.`);
  }
  for (const { key, version } of stored.all(['', '.history'])) {
    if (operations.size === MAX_OPERATIONS) break;
    if (!operations.has(key)) operations.set(key, { KV: { Verb: 'check-index', Key: key, Index: version } });
  }
  if (!operations.has(keys.document) && stored.at('').length === 0 && operations.size < MAX_OPERATIONS) {
    operations.set(keys.document, { KV: { Verb: 'check-not-exists', Key: keys.document } });
  }
  return [...operations.values()];
}
