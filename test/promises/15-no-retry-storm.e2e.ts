import { CallContext, Code, ServiceError } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { describe, expect, it } from 'vitest';
import { report } from './fleet.js';

const REQUESTS = 3_000;
const options = { idempotent: true, timeout: '5s', retry: { attempts: 3, initialDelay: 5, maxDelay: 10 } } as const;
/** What the floor of the budget allows on top: 100 saved up, and 10 a second. */
const floor = (startedAt: number) => 100 + (10 * (performance.now() - startedAt)) / 1_000;

/** What a hop's server makes of an error, and its caller of that: code, message and reason cross, the class does not. */
function overTheWire(error: unknown): never {
  const { code, message, reason } = error as ServiceError;
  throw new ServiceError(code, message, { reason });
}

async function requests(send: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let sent = 0; sent < REQUESTS; sent += 100) {
    await Promise.all(Array.from({ length: 100 }, () => send().catch(() => undefined)));
  }
  return floor(startedAt);
}

describe('promise 15, no retry storm', () => {
  it('a backend that fails altogether gets at most 1.2 attempts per request, and the floor', async () => {
    const resilience = new Resilience();
    let attempts = 0;
    const backend = async () => {
      attempts++;
      throw new ServiceError(Code.UNAVAILABLE, 'down');
    };
    const allowance = await requests(() => resilience.run('backend', backend, options));
    report('15', 'one hop', { requests: REQUESTS, 'attempts per request': (attempts / REQUESTS).toFixed(3) });
    resilience.close();
    expect(attempts).toBeGreaterThan(REQUESTS);
    expect(attempts).toBeLessThanOrEqual(1.2 * REQUESTS + allowance);
  });

  it('over three hops, the deepest gets at most 1.25', async () => {
    const hops = [new Resilience(), new Resilience(), new Resilience()];
    let attempts = 0;
    let send = async (): Promise<unknown> => {
      attempts++;
      throw new ServiceError(Code.UNAVAILABLE, 'down');
    };
    for (const hop of hops) {
      const next = send;
      // Another process: nothing of the caller's context but what travels.
      const served = () => CallContext.run(new CallContext(), next).catch(overTheWire);
      send = () => hop.run('next', served, options);
    }
    const allowance = await requests(send);
    report('15', 'three hops', {
      requests: REQUESTS,
      'attempts per request at the deepest': (attempts / REQUESTS).toFixed(3),
    });
    for (const hop of hops) hop.close();
    expect(attempts).toBeLessThanOrEqual(1.25 * REQUESTS + allowance);
  });
});
