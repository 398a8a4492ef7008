import { CallContext } from '../../../libs/core/dist/index.js';
import { Resilience } from '../../../libs/resilience/dist/index.js';

const resilience = new Resilience();
let names = 0;

/** Every policy that can be on at once, in one process's Resilience. Cache and hedging are choices of a method, not a stack. */
export function options({ tolerant, fallback }) {
  return {
    idempotent: true,
    timeout: '2s',
    rateLimit: { rate: 1e6, burst: 1e6 },
    bulkhead: { limit: 1_000 },
    retry: { attempts: 3 },
    breaker: tolerant
      ? { errorThresholdPercentage: 100, windowMs: 60_000 }
      : { openMs: 3_600_000, maxOpenMs: 3_600_000 },
    attemptTimeout: '1s',
    ...(fallback && { fallback: { value: { message: 'default user' } } }),
  };
}

/** As the server that took the request opens it. */
export const context = (work) => CallContext.run(new CallContext(), work);

/** `Resilience.run`. */
export function make({ call, tolerant, fallback }) {
  const name = `users.get.${names++}`;
  const all = options({ tolerant, fallback });
  return { run: (user) => resilience.run(name, () => call(user), all) };
}
