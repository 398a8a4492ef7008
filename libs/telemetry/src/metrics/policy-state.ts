import { outcomes, type PipelineState, type Resilience } from '@holdfast/resilience';
import type { Registry } from 'prom-client';
import { pulledCounter, pulledGauge } from './pulled.js';

const breakerStates = { closed: 'closed', open: 'open', halfOpen: 'half_open' } as const;

/** How the policies of each name stand, and how its calls ended. */
export function policyMetrics(registry: Registry, resilience: Resilience): void {
  pulledCounter(registry, {
    name: 'holdfast_calls_total',
    help: 'Calls of a name by how they ended, exactly one way each.',
    labels: ['name', 'outcome'],
    collect: (add) => {
      for (const [name, { calls }] of states()) {
        for (const outcome of outcomes) add({ name, outcome }, calls[outcome]);
      }
    },
  });
  pulledGauge(registry, {
    name: 'holdfast_breaker_state',
    help: '1 for the state that the breaker of a name is in, 0 for the others.',
    labels: ['name', 'state'],
    collect: (set) => {
      for (const [name, { breaker }] of states()) {
        if (breaker === undefined) continue;
        for (const [state, label] of Object.entries(breakerStates)) {
          set({ name, state: label }, state === breaker ? 1 : 0);
        }
      }
    },
  });
  gauge('holdfast_bulkhead_in_use', 'Permits of a bulkhead that are taken.', ({ bulkhead }) => bulkhead?.inUse);
  gauge('holdfast_bulkhead_queued', 'Calls that wait for a permit.', ({ bulkhead }) => bulkhead?.queued);
  gauge('holdfast_bulkhead_limit', 'Permits that there are.', ({ bulkhead }) => bulkhead?.limit);
  gauge('holdfast_rate_limit_tokens', 'Calls that may start now; below zero while calls wait.', ({ tokens }) => tokens);
  gauge('holdfast_retry_budget', 'Attempts beyond the first that may be made now.', ({ retryBudget }) => retryBudget);
  gauge('holdfast_cached_answers', 'Answers that are kept to be given again.', ({ cached }) => cached);

  function states(): readonly (readonly [string, PipelineState])[] {
    return Object.entries(resilience.states());
  }

  function gauge(name: string, help: string, valueOf: (state: PipelineState) => number | undefined): void {
    pulledGauge(registry, {
      name,
      help,
      labels: ['name'],
      collect: (set) => {
        for (const [label, state] of states()) {
          const value = valueOf(state);
          if (value !== undefined) set({ name: label }, value);
        }
      },
    });
  }
}
