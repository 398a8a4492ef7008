import { Cell } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { Breaker } from '../../libs/resilience/src/breaker.js';
import { breakerSpec, type BreakerSpec } from '../../libs/resilience/src/breaker-spec.js';

/** A breaker with the default options but those given, whose open time is never stretched. */
export function breakerOnFakeClock(options: Partial<BreakerSpec> = {}) {
  const clock = new FakeClock();
  const breaker = new Breaker('users.get', new Cell(breakerSpec.parse(options)), { clock, random: () => 0 });
  const call = (outcome: 'succeeded' | 'failed', count = 1) => {
    for (let n = 0; n < count; n++) breaker[outcome](breaker.enter(), 1);
  };
  return { clock, breaker, call };
}
