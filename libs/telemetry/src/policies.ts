import type { TraceContext, TraceFacts } from '@holdfast/core';
import type { Decision, Outcome, PolicyObserver } from '@holdfast/resilience';
import { Logger } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { pulledCounter } from './metrics/pulled.js';
import type { Spans } from './spans.js';

/** What a breaker's change is to whoever reads the log. */
const turns: Partial<Record<Decision, string>> = {
  opened: 'keeps failing: its breaker is open, and no call goes out for a while',
  closed: 'works again: its breaker is closed',
};
const logger = new Logger('Resilience');

/** What the policies decide: counted, noted on the trace of the call, and logged where it is about all calls of a name. */
export class PolicyWatch {
  readonly #watches = new Map<string, NameWatch>();
  readonly #spans: Spans | undefined;

  constructor(registry: Registry, spans: Spans | undefined) {
    this.#spans = spans;
    pulledCounter(registry, {
      name: 'holdfast_policy_decisions_total',
      help: 'What policies decided about calls of a name; docs/observability.md has the words.',
      labels: ['name', 'decision'],
      collect: (add) => {
        for (const [name, { counts }] of this.#watches) {
          for (const [decision, count] of Object.entries(counts)) add({ name, decision }, count);
        }
      },
    });
  }

  observe(name: string): PolicyObserver {
    const watch = new NameWatch(name, this.#spans);
    this.#watches.set(name, watch);
    return watch;
  }
}

class NameWatch implements PolicyObserver {
  readonly counts: Partial<Record<Decision, number>> = {};

  constructor(
    private readonly name: string,
    private readonly spans: Spans | undefined,
  ) {}

  begin(trace: TraceContext | undefined): TraceContext | undefined {
    return this.spans ? this.spans.begin(this.name, 'internal', trace, {}) : trace;
  }

  end(outcome: Outcome, trace: TraceContext | undefined): void {
    this.spans?.end(trace, { 'holdfast.outcome': outcome }, outcome !== 'ok' && outcome !== 'fallback');
  }

  decided(decision: Decision, trace: TraceContext | undefined, facts?: TraceFacts): void {
    this.counts[decision] = (this.counts[decision] ?? 0) + 1;
    trace?.note?.(decision, { name: this.name, ...facts });
    const turn = turns[decision];
    if (turn !== undefined) logger.warn(`${this.name} ${turn}.`);
  }
}
