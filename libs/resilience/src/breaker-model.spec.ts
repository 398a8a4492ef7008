import { Cell, CircuitOpen } from '@holdfast/core';
import { FakeClock, runs } from '@holdfast/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Breaker } from './breaker.js';
import type { Pass } from './gate.js';
import { breakerSpec, type BreakerSpec } from './breaker-spec.js';

describe('Breaker, beside a model that does everything at its time', () => {
  /** Steps through every millisecond and keeps every call, where the breaker looks only when it is asked and keeps counts. */
  class Model {
    now = 0;
    state: 'closed' | 'open' | 'halfOpen' = 'closed';
    period = 0;
    calls: { slice: number; failed: boolean; slow: boolean }[] = [];
    firstSlice: number | undefined;
    openUntil = 0;
    openings = 0;
    proven = 0;
    probes = new Map<object, number>();

    constructor(readonly spec: Cell<BreakerSpec>) {}

    advance(ms: number): void {
      for (let step = 0; step < ms; step++) {
        this.now++;
        if ([...this.probes.values()].some((deadline) => deadline === this.now)) this.open();
        if (this.state === 'open' && this.now >= this.openUntil) this.state = 'halfOpen';
      }
    }

    enter(timeout: number): { period: number } | undefined {
      const pass = { period: this.period };
      if (this.state === 'closed') return pass;
      if (this.state === 'open' || this.proven + this.probes.size >= this.spec.value.probes) return undefined;
      this.probes.set(pass, this.now + Math.min(timeout, this.spec.value.probeTimeoutMs));
      return pass;
    }

    end(pass: { period: number }, outcome: 'succeeded' | 'failed' | 'ignored', durationMs: number): void {
      const probe = this.probes.delete(pass);
      if (pass.period !== this.period || (this.state !== 'closed' && !probe) || outcome === 'ignored') return;
      const slow = durationMs >= (this.spec.value.slowCallDurationMs ?? Infinity);
      this.calls.push({ slice: this.slice(), failed: outcome === 'failed', slow });
      if (probe && (outcome === 'failed' || slow)) this.open();
      else if (probe && ++this.proven >= this.spec.value.probes) this.close();
      else if (!probe && (outcome === 'failed' || slow) && this.bad()) this.open();
    }

    recent() {
      this.firstSlice ??= this.now;
      return this.calls.filter(({ slice }) => slice > this.slice() - 10);
    }

    private bad(): boolean {
      const { volumeThreshold, errorThresholdPercentage, slowCallPercentage } = this.spec.value;
      const recent = this.recent();
      const share = (of: 'failed' | 'slow') => (recent.filter((call) => call[of]).length / recent.length) * 100;
      if (recent.length < volumeThreshold) return false;
      return share('failed') >= errorThresholdPercentage || share('slow') >= slowCallPercentage;
    }

    private slice(): number {
      return Math.floor((this.now - (this.firstSlice ?? this.now)) / (this.spec.value.windowMs / 10));
    }

    private open(): void {
      this.state = 'open';
      this.period++;
      this.probes.clear();
      this.proven = 0;
      const { openMs, maxOpenMs } = this.spec.value;
      this.openUntil = this.now + Math.min(maxOpenMs, openMs * 2 ** this.openings++) * 1.1;
    }

    private close(): void {
      this.state = 'closed';
      this.period++;
      this.openings = this.proven = 0;
      this.calls = [];
      this.probes.clear();
    }
  }

  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('enter' as const), timeout: fc.constantFrom(10, 40, 1_000) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        which: fc.oneof(fc.nat(2), fc.nat()),
        outcome: fc.constantFrom('succeeded' as const, 'failed' as const, 'failed' as const, 'ignored' as const),
        durationMs: fc.constantFrom(1, 99, 100, 5_000),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.nat(30), fc.nat(600)) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('change' as const),
        to: fc.constantFrom<Partial<BreakerSpec>>(
          { volumeThreshold: 2 },
          { volumeThreshold: 6 },
          { errorThresholdPercentage: 25 },
          { errorThresholdPercentage: 80 },
          { slowCallPercentage: 100 },
          { probeTimeoutMs: 20 },
        ),
      }),
    },
  );

  it('agrees after any sequence of calls, outcomes, waits and changed options', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }),
        fc.integer({ min: 1, max: 3 }),
        (steps, probes) => {
          let now = 0;
          const clock = Object.assign(new FakeClock(), { now: () => now });
          const spec = new Cell<BreakerSpec>({
            ...breakerSpec.parse({ windowMs: 500, openMs: 50, maxOpenMs: 150, probeTimeoutMs: 60 }),
            ...{ volumeThreshold: 4, slowCallDurationMs: 100, slowCallPercentage: 60, probes },
          });
          const breaker = new Breaker('b', spec, { clock, random: () => 0.5 });
          const model = new Model(spec);
          const passes: { real: Pass; model: { period: number } }[] = [];
          for (const each of steps) {
            if (each.do === 'wait') {
              now += each.ms;
              model.advance(each.ms);
            } else if (each.do === 'change') {
              spec.set({ ...spec.value, ...each.to });
            } else if (each.do === 'end') {
              const pass = passes.at(-1 - (each.which % Math.min(12, passes.length || 1)));
              if (pass) breaker[each.outcome](pass.real, each.durationMs);
              if (pass) model.end(pass.model, each.outcome, each.durationMs);
            } else {
              const expected = model.enter(each.timeout);
              if (expected) passes.push({ real: breaker.enter(each.timeout), model: expected });
              else expect(() => breaker.enter(each.timeout)).toThrow(CircuitOpen);
            }
            expect(breaker.state).toBe(model.state);
            const { successes, failures } = breaker.circuit.stats;
            const recent = model.recent();
            expect([successes + failures, failures]).toEqual([
              recent.length,
              recent.filter((call) => call.failed).length,
            ]);
            reached.add(model.state + (model.openings > 2 ? ' for long' : ''));
          }
        },
      ),
      { numRuns: runs(300), seed: 20 },
    );
    // The property is worth nothing if the sequences do not get anywhere.
    expect([...reached].toSorted()).toEqual(['closed', 'halfOpen', 'halfOpen for long', 'open', 'open for long']);
  });
});
