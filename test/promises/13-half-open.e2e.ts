import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { CallContext, Cancelled, CircuitOpen } from '@holdfast/core';
import { Resilience, type BreakerState, type ResilienceOptions } from '@holdfast/resilience';
import { eventually } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { report } from './fleet.js';

const CALLERS = 1_000;
const OPEN_MS = 200;
const ATTEMPT_TIMEOUT_MS = 500;

/** A real server on loopback that does what it is told, and counts what reaches it. */
class Backend {
  answer: 'well' | 'badly' | 'never' = 'well';
  requests = 0;
  readonly waiting: ServerResponse[] = [];
  readonly #server: Server = createServer((_request, response) => {
    this.requests++;
    if (this.answer === 'never') this.waiting.push(response);
    else response.writeHead(this.answer === 'well' ? 200 : 500).end();
  });

  async listen(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  async ask(): Promise<void> {
    const { port } = this.#server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: CallContext.current()?.signal ?? null });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`status ${response.status}`);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('promise 13: half-open', () => {
  let backend: Backend;
  let resilience: Resilience;
  let options: ResilienceOptions<never>;

  const call = () => resilience.run('backend', () => backend.ask(), options);
  const calls = (count: number) => Promise.allSettled(Array.from({ length: count }, call));
  const state = () => resilience.states()['backend']?.breaker;
  const reaches = (expected: BreakerState) => eventually(async () => state() === expected);
  const open = async () => {
    backend.answer = 'badly';
    await calls(20);
    expect(state()).toBe('open');
  };

  beforeEach(async () => {
    backend = new Backend();
    await backend.listen();
    resilience = new Resilience();
    options = { attemptTimeout: ATTEMPT_TIMEOUT_MS, breaker: { openMs: OPEN_MS, maxOpenMs: OPEN_MS } };
  });

  afterEach(async () => {
    resilience.close();
    await backend.close();
  });

  it.each([1, 3, 10])(
    'of 1,000 concurrent callers, exactly %i are probes; the rest are refused at once',
    async (probes) => {
      options = { ...options, breaker: { openMs: OPEN_MS, probes } };
      await open();
      await reaches('halfOpen');
      backend.answer = 'well';
      backend.requests = 0;
      const started = performance.now();
      let lastRefusal = 0;
      const outcomes = await Promise.allSettled(
        Array.from({ length: CALLERS }, () =>
          call().catch((error: unknown) => {
            lastRefusal = performance.now() - started;
            throw error;
          }),
        ),
      );
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(backend.requests).toBe(probes);
      expect(refused).toHaveLength(CALLERS - probes);
      expect(refused.every(({ reason }) => reason instanceof CircuitOpen)).toBe(true);
      expect(lastRefusal).toBeLessThan(ATTEMPT_TIMEOUT_MS / 2);
      expect(state()).toBe('closed');
      report('13', 'a loopback server', {
        callers: CALLERS,
        probes: backend.requests,
        refused: refused.length,
        'last refusal after ms': lastRefusal.toFixed(1),
      });
    },
  );

  it('outcomes from before the opening change nothing', async () => {
    options = { ...options, attemptTimeout: '10s' };
    backend.answer = 'never';
    const early = calls(100);
    await eventually(async () => backend.waiting.length === 100);
    await open();
    await reaches('halfOpen');
    for (const response of backend.waiting) response.writeHead(200).end();
    const outcomes = await early;
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    expect(state()).toBe('halfOpen');
    report('13', 'a loopback server', { 'late successes': 100, 'changes of state': 0 });
  });

  it('a hung probe is freed within the attempt timeout', async () => {
    await open();
    await reaches('halfOpen');
    backend.answer = 'never';
    backend.requests = 0;
    const started = performance.now();
    await calls(CALLERS);
    expect(backend.requests).toBe(1);
    expect(state()).not.toBe('closed');
    await reaches('halfOpen');
    const freed = performance.now() - started - OPEN_MS;
    // Besides the probe's own time, this has a fifth of the open time, the timer wheel's steps and the poll's in it.
    expect(freed).toBeLessThan(ATTEMPT_TIMEOUT_MS + 250);
    backend.answer = 'well';
    await call();
    expect(state()).toBe('closed');
    report('13', 'a loopback server', { 'hung probe freed after ms': freed.toFixed(0), timeout: ATTEMPT_TIMEOUT_MS });
  });

  it('a cancelled probe makes room for another at once', async () => {
    await open();
    await reaches('halfOpen');
    backend.answer = 'never';
    const caller = new AbortController();
    const probe = CallContext.run(new CallContext({ signal: caller.signal }), call);
    await eventually(async () => backend.waiting.length === 1);
    await expect(call()).rejects.toBeInstanceOf(CircuitOpen);
    caller.abort(new Error('The caller has left.'));
    const started = performance.now();
    await expect(probe).rejects.toBeInstanceOf(Cancelled);
    backend.answer = 'well';
    await call();
    const freed = performance.now() - started;
    expect(freed).toBeLessThan(ATTEMPT_TIMEOUT_MS / 2);
    expect(state()).toBe('closed');
    report('13', 'a loopback server', { 'cancelled probe freed and another answered after ms': freed.toFixed(1) });
  });
});
