import { Cell, CircuitOpen, DeadlineExceeded } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Breaker } from './breaker.js';
import type { Pass } from './gate.js';
import { breakerSpec, type BreakerSpec } from './breaker-spec.js';

describe('Breaker', () => {
  let clock: FakeClock;
  let spec: Cell<BreakerSpec>;
  let breaker: Breaker;
  let draw: number;

  const change = (fields: Partial<BreakerSpec>) => spec.set({ ...spec.value, ...fields });
  const calls = (count: number, outcome: 'succeeded' | 'failed' | 'ignored', durationMs = 5) => {
    for (let call = 0; call < count; call++) breaker[outcome](breaker.enter(), durationMs);
  };
  const open = () => calls(20, 'failed');
  const halfOpen = async (fields: Partial<BreakerSpec> = {}) => {
    change(fields);
    open();
    await clock.advance(spec.value.openMs);
    expect(breaker.state).toBe('halfOpen');
  };

  beforeEach(() => {
    clock = new FakeClock();
    spec = new Cell(breakerSpec.parse({}));
    draw = 0;
    breaker = new Breaker('users.get', spec, { clock, random: () => draw });
  });

  it('starts closed and lets everything through', () => {
    calls(1_000, 'succeeded');
    expect(breaker.state).toBe('closed');
  });

  describe('opens', () => {
    it('at the volume and the percentage, not before either', () => {
      calls(10, 'succeeded');
      calls(9, 'failed');
      expect(breaker.state).toBe('closed');
      calls(1, 'failed');
      expect(breaker.state).toBe('open');
    });

    it('not below the percentage', () => {
      change({ errorThresholdPercentage: 25 });
      calls(76, 'succeeded');
      calls(24, 'failed');
      expect(breaker.state).toBe('closed');
      calls(2, 'failed');
      expect(breaker.state).toBe('open');
    });

    it('at 100 percent, too', () => {
      change({ errorThresholdPercentage: 100 });
      calls(20, 'failed');
      expect(breaker.state).toBe('open');
    });

    it('on slow calls, whatever their outcome', () => {
      change({ slowCallDurationMs: 100, slowCallPercentage: 40, errorThresholdPercentage: 90 });
      calls(12, 'succeeded', 99.9);
      calls(4, 'succeeded', 100);
      calls(3, 'failed', 500);
      expect(breaker.state).toBe('closed');
      calls(1, 'succeeded', 100);
      expect(breaker.state).toBe('open');
    });

    it('not on slow calls where nothing says what is slow', () => {
      calls(100, 'succeeded', 3_600_000);
      expect(breaker.state).toBe('closed');
    });

    it('not on calls that were slow before the option was taken away', () => {
      change({ slowCallDurationMs: 100 });
      calls(15, 'succeeded', 200);
      change({ slowCallDurationMs: undefined });
      calls(5, 'failed');
      expect(breaker.state).toBe('closed');
    });

    it('not on what is ignored, which does not count as a call either', () => {
      calls(100, 'ignored');
      calls(19, 'failed');
      expect(breaker.state).toBe('closed');
      expect(breaker.circuit.stats).toMatchObject({ fires: 19, failures: 19 });
    });

    it('on the last window’s calls only', async () => {
      calls(19, 'failed');
      await clock.advance(10_000);
      calls(19, 'failed');
      expect(breaker.state).toBe('closed');
      await clock.advance(8_900);
      calls(1, 'failed');
      expect(breaker.state).toBe('open');
    });
  });

  describe('open', () => {
    it('refuses with one error that says how long, in words of its own', async () => {
      open();
      const refused = () => {
        try {
          breaker.enter();
        } catch (error) {
          return error as CircuitOpen;
        }
        return expect.unreachable();
      };
      const refusal = refused();
      expect(refusal).toBeInstanceOf(CircuitOpen);
      expect(refusal).toMatchObject({ reason: 'CIRCUIT_OPEN', retryAfterMs: 5_000 });
      expect(refusal.message).toContain('users.get');
      expect(refusal.stack).toBe(`CircuitOpen: ${refusal.message}`);
      await clock.advance(1_500);
      expect(refused()).toBe(refusal);
      expect(refusal.retryAfterMs).toBe(3_500);
      await clock.advance(3_500);
      breaker.enter();
      expect(refused()).toBe(refusal);
      expect(refusal.retryAfterMs).toBeUndefined();
    });

    it('ends after openMs, and with the worst draw a fifth later', async () => {
      draw = 0.999_999;
      open();
      await clock.advance(5_999);
      expect(breaker.state).toBe('open');
      await clock.advance(1);
      expect(breaker.state).toBe('halfOpen');
    });

    it('doubles while probes fail, up to its bound, and starts over after a close', async () => {
      change({ openMs: 1_000, maxOpenMs: 5_000 });
      open();
      for (const ms of [1_000, 2_000, 4_000, 5_000, 5_000]) {
        await clock.advance(ms - 1);
        expect(breaker.state).toBe('open');
        await clock.advance(1);
        breaker.failed(breaker.enter(), 1);
        expect(breaker.state).toBe('open');
      }
      await clock.advance(5_000);
      calls(1, 'succeeded');
      expect(breaker.state).toBe('closed');
      open();
      await clock.advance(1_000);
      expect(breaker.state).toBe('halfOpen');
    });

    it('stays finite however often it opened', async () => {
      open();
      for (let opening = 0; opening < 2_000; opening++) {
        await clock.advance(60_000);
        breaker.failed(breaker.enter(), 1);
      }
      await clock.advance(59_999);
      expect(breaker.state).toBe('open');
      await clock.advance(1);
      expect(breaker.state).toBe('halfOpen');
    });
  });

  describe('half-open', () => {
    it('lets exactly the probes through and closes when all of them succeed', async () => {
      await halfOpen({ probes: 3 });
      const passes = [breaker.enter(), breaker.enter(), breaker.enter()];
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      breaker.succeeded(passes[0]!, 1);
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      breaker.succeeded(passes[1]!, 1);
      expect(breaker.state).toBe('halfOpen');
      breaker.succeeded(passes[2]!, 1);
      expect(breaker.state).toBe('closed');
    });

    it.each([
      ['fails', (pass: Pass) => breaker.failed(pass, 1)],
      ['is slow', (pass: Pass) => breaker.succeeded(pass, 300)],
    ])('opens again on the first probe that %s, and forgets the others', async (_, end) => {
      await halfOpen({ probes: 2, slowCallDurationMs: 300 });
      const [first, second] = [breaker.enter(), breaker.enter()];
      end(first);
      expect(breaker.state).toBe('open');
      await clock.advance(10_000);
      breaker.succeeded(second, 1);
      breaker.failed(second, 1);
      breaker.succeeded(first, 1);
      expect(breaker.state).toBe('halfOpen');
      calls(2, 'succeeded');
      expect(breaker.state).toBe('closed');
    });

    it.each([
      ['the attempt timeout', 200, 200],
      ['its own bound, where that is shorter', 60_000, 1_000],
      ['its own bound, where there is no timeout', undefined, 1_000],
    ])('counts a probe without an outcome as failed after %s', async (_, timeout, freed) => {
      await halfOpen({ probeTimeoutMs: 1_000 });
      const pass = breaker.enter(timeout);
      await clock.advance(freed - 1);
      expect(breaker.state).toBe('halfOpen');
      await clock.advance(1);
      expect(breaker.state).toBe('open');
      breaker.succeeded(pass, freed);
      expect(breaker.state).toBe('open');
      await clock.advance(9_999);
      expect(breaker.state).toBe('open');
      await clock.advance(1);
      expect(breaker.state).toBe('halfOpen');
    });

    it('frees the place of a probe that is ignored', async () => {
      await halfOpen();
      const pass = breaker.enter();
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      breaker.ignored(pass);
      expect(breaker.state).toBe('halfOpen');
      const next = breaker.enter();
      breaker.ignored(pass);
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      breaker.succeeded(next, 1);
      expect(breaker.state).toBe('closed');
    });
  });

  describe('options that change while it serves', () => {
    it('a lower threshold judges what was counted before', () => {
      calls(20, 'succeeded');
      calls(10, 'failed');
      expect(breaker.state).toBe('closed');
      change({ errorThresholdPercentage: 30 });
      calls(1, 'failed');
      expect(breaker.state).toBe('open');
    });

    it('another window keeps the counts and stretches them', async () => {
      calls(10, 'failed');
      await clock.advance(5_000);
      change({ windowMs: 100_000 });
      calls(5, 'failed');
      // Half a window old then, half a window old now: they leave when the other half has passed.
      await clock.advance(49_000);
      expect(breaker.circuit.stats.failures).toBe(15);
      await clock.advance(1_001);
      expect(breaker.circuit.stats.failures).toBe(5);
      change({ windowMs: 1_000 });
      expect(breaker.circuit.stats.failures).toBe(5);
      await clock.advance(1_000);
      expect(breaker.circuit.stats.failures).toBe(0);
    });

    it('openMs counts from when it opened', async () => {
      open();
      await clock.advance(1_000);
      expect(breaker.state).toBe('open');
      change({ openMs: 900 });
      expect(breaker.state).toBe('halfOpen');
    });

    it('fewer probes than have succeeded already close it', async () => {
      await halfOpen({ probes: 5 });
      calls(3, 'succeeded');
      expect(breaker.state).toBe('halfOpen');
      change({ probes: 2 });
      calls(1, 'succeeded');
      expect(breaker.state).toBe('closed');
      expect(breaker.circuit.stats).toMatchObject({ fires: 1, successes: 1 });
    });
  });

  describe('opossum’s circuit', () => {
    it('tells of every call and change under opossum’s names, in opossum’s order', async () => {
      const told: string[] = [];
      const names = breaker.circuit.eventNames();
      expect(names).toEqual(['fire', 'success', 'failure', 'timeout', 'reject', 'open', 'halfOpen', 'close']);
      for (const name of names)
        breaker.circuit.on(name as 'success', (_: unknown, ms: number) =>
          told.push(ms ? `${String(name)} ${ms}` : String(name)),
        );
      change({ volumeThreshold: 2 });
      calls(1, 'succeeded', 7);
      breaker.failed(breaker.enter(), 8, new DeadlineExceeded('late'));
      expect(told).toEqual(['fire', 'success 7', 'fire', 'timeout 8', 'failure 8', 'open']);
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      await clock.advance(5_000);
      calls(1, 'succeeded', 9);
      expect(told.slice(6)).toEqual(['reject', 'halfOpen', 'fire', 'success 9', 'close']);
      breaker.close();
      calls(1, 'succeeded', 9);
      expect(told).toHaveLength(11);
    });

    it('tells it with what opossum gives its listeners', async () => {
      const told: unknown[] = [];
      for (const name of breaker.circuit.eventNames())
        breaker.circuit.on(name as 'success', (...details: unknown[]) => told.push([name, ...details]));
      change({ volumeThreshold: 2 });
      await clock.advance(1_000);
      const [late, bug] = [new DeadlineExceeded('late'), new TypeError('a bug')];
      breaker.failed(breaker.enter(), 8, late);
      breaker.failed(breaker.enter(), 9, bug);
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      await clock.advance(5_000);
      calls(1, 'succeeded', 7);
      expect(told).toEqual([
        ['fire', []],
        ['timeout', late, 8, []],
        ['failure', late, 8, []],
        ['fire', []],
        ['failure', bug, 9, []],
        ['open'],
        ['reject', breaker.refusal],
        ['halfOpen', 5_000],
        ['fire', []],
        ['success', undefined, 7],
        ['close'],
      ]);
    });

    it('can be let go of before anyone has looked at it', () => {
      breaker.close();
      calls(20, 'failed');
      expect(breaker.state).toBe('open');
    });

    it('shows state and counts', async () => {
      const { circuit } = breaker;
      for (const ms of [1, 1, 1, 1, 1, 1, 1, 1, 1, 200]) calls(1, 'succeeded', ms);
      await clock.advance(1_000);
      breaker.failed(breaker.enter(), 10, new DeadlineExceeded('late'));
      expect(circuit.stats).toMatchObject({ fires: 11, successes: 10, failures: 1, timeouts: 1, rejects: 0 });
      expect(circuit.stats.percentiles[0.5]).toBeCloseTo(1, 0);
      expect(circuit.stats.percentiles[1]! / 200).toBeGreaterThan(0.75);
      expect(circuit.stats.percentiles[1]! / 200).toBeLessThan(1.25);
      expect(circuit.stats.latencyMean / (219 / 11)).toBeGreaterThan(0.75);
      expect(circuit.stats.latencyMean / (219 / 11)).toBeLessThan(1.25);
      expect(circuit.status.window.map(({ fires }) => fires)).toEqual([1, 10, 0, 0, 0, 0, 0, 0, 0, 0]);
      expect(circuit.status.window[0]).toMatchObject({ timeouts: 1, latencyMean: -1, percentiles: { 0.5: -1 } });
      breaker.failed(breaker.enter(), 10, new Error('down'));
      expect(circuit.stats).toMatchObject({ failures: 2, timeouts: 1 });
      calls(8, 'failed');
      expect(() => breaker.enter()).toThrow(CircuitOpen);
      expect(circuit.stats.rejects).toBe(1);
      expect(circuit).toMatchObject({ name: 'users.get', opened: true, closed: false, halfOpen: false });
      expect(circuit.toJSON().state).toMatchObject({ open: true });
      await clock.advance(5_000);
      expect(breaker.circuit).toMatchObject({ opened: false, closed: false, halfOpen: true });
      calls(1, 'succeeded');
      expect(circuit).toMatchObject({ opened: false, closed: true, halfOpen: false });
      expect(circuit.stats.fires).toBe(0);
    });

    it('does not fire', async () => {
      await expect(breaker.circuit.fire()).rejects.toThrow('for reading');
    });
  });
});

describe('BreakerSpec', () => {
  it('takes an open time that does not double', () => {
    expect(breakerSpec.parse({ openMs: 60_000 })).toMatchObject({ openMs: 60_000, maxOpenMs: 60_000 });
  });

  it('has a default for all that needs one, and says so of each option', () => {
    expect(breakerSpec.parse({})).toEqual({
      volumeThreshold: 20,
      errorThresholdPercentage: 50,
      slowCallPercentage: 50,
      windowMs: 10_000,
      openMs: 5_000,
      maxOpenMs: 60_000,
      probes: 1,
      probeTimeoutMs: 10_000,
    });
    for (const option of Object.values(breakerSpec.shape)) expect(option.description).toMatch(/\d to [\d,]+/);
  });

  it.each([
    { volumeThreshold: 0 },
    { errorThresholdPercentage: 0 },
    { errorThresholdPercentage: 101 },
    { slowCallDurationMs: 0 },
    { windowMs: 99 },
    { openMs: 70_000 },
    { probes: 1.5 },
    { probeTimeoutMs: Infinity },
  ])('refuses %j', (fields) => {
    expect(breakerSpec.safeParse(fields).success).toBe(false);
  });
});
