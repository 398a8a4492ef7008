import { AsyncLocalStorage } from 'node:async_hooks';
import { make as makeBare } from './bare.mjs';

const storage = new AsyncLocalStorage();

/** The bare stack, in which the work can see its deadline, also after an await: the floor of what carries a context. */
export function make({ call, fallback }) {
  return makeBare({ call: (name) => storage.run({ deadline: performance.now() + 1_000 }, call, name), fallback });
}
