import { Cell, systemClock } from '../../../libs/core/dist/index.js';
import { Breaker } from '../../../libs/resilience/dist/breaker.js';
import { NO_PASS } from '../../../libs/resilience/dist/gate.js';
import { breakerSpec } from '../../../libs/resilience/dist/breaker-spec.js';

/** The breaker alone, as the stack uses it: beside opossum, which is a breaker and a timeout. */
export function make({ call, tolerant }) {
  const options = tolerant
    ? { errorThresholdPercentage: 100, windowMs: 60_000 }
    : { openMs: 3_600_000, maxOpenMs: 3_600_000 };
  const spec = new Cell(breakerSpec.parse(options));
  const breaker = new Breaker('users.get', spec, { clock: systemClock, random: Math.random });
  async function attempt(pass, name) {
    const started = performance.now();
    try {
      const result = await call(name);
      const now = performance.now();
      breaker.succeeded(pass, now - started, now);
      return result;
    } catch (error) {
      const now = performance.now();
      breaker.failed(pass, now - started, error, now);
      throw error;
    }
  }

  function run(name) {
    const pass = breaker.tryEnter(1_000);
    return pass === NO_PASS ? Promise.reject(breaker.refusal) : attempt(pass, name);
  }
  return { run, close: () => breaker.close() };
}
