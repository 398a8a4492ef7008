import type { ICompare, IRequestOp, ITxnRequest } from 'etcd3';
import type { Changes } from '../driver.js';
import { rangesOf } from './etcd-watch.js';
import type { ServiceKeys, StoredKeys } from './service-keys.js';

/** etcd's own limit to what one transaction compares, and to what it does. */
const MAX_OPERATIONS = 128;

/**
 * The transaction that makes the changes if the keys are still as they were at `revision`.
 *
 * @param store the store's name, for the sentence
 * @throws Error with a sentence when etcd could not take it
 */
export function transactionOf(
  store: string,
  keys: ServiceKeys,
  stored: StoredKeys,
  revision: number,
  changes: Changes,
): ITxnRequest {
  const success = operationsOf(keys, stored, changes);
  if (success.length > MAX_OPERATIONS) {
    throw new Error(`${store} takes ${MAX_OPERATIONS} changes in one step, not ${success.length}.`);
  }
  return { compare: unchanged(keys, stored, revision, changes.keys()), success };
}

/** A path that is written is taken out of its other spellings, one that is deleted out of all. */
function operationsOf(keys: ServiceKeys, stored: StoredKeys, changes: Changes): IRequestOp[] {
  const operations: IRequestOp[] = [];
  for (const [path, text] of changes) {
    const target = text === undefined ? undefined : keys.keyOf(path);
    if (target !== undefined && text !== undefined) {
      operations.push({ request_put: { key: Buffer.from(target), value: Buffer.from(text) } });
    }
    for (const { key } of stored.at(path)) {
      if (key !== target) operations.push({ request_delete_range: { key: Buffer.from(key) } });
    }
  }
  return operations;
}

/**
 * What must hold for nothing to have changed since `revision`: no key of the service is newer, and every one that was there
 * still is, which only a comparison of its own can tell. Those have a limit, so with more than 126 keys somebody else's deletion
 * of one that is not `first` can go unseen if it falls into the milliseconds between the reading and this.
 */
function unchanged(keys: ServiceKeys, stored: StoredKeys, revision: number, first: Iterable<string>): ICompare[] {
  const compare: ICompare[] = rangesOf(keys).map((range) => ({
    ...range,
    target: 'Mod',
    result: 'Less',
    mod_revision: revision + 1,
  }));
  for (const { key, version } of stored.all([...first, '', '.history'])) {
    if (compare.length === MAX_OPERATIONS) break;
    compare.push({ key: Buffer.from(key), target: 'Mod', result: 'Equal', mod_revision: version });
  }
  return compare;
}
