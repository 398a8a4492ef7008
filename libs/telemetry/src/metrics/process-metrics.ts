import { performance } from 'node:perf_hooks';
import { collectDefaultMetrics, Registry, type Metric } from 'prom-client';
import { pulledCounter } from './pulled.js';

/** One for all services of the process: what is measured is the process, and the measuring never ends. */
let ofProcess: Registry | undefined;

/**
 * How the process itself does: prom-client's default metrics (CPU, memory, garbage collection, delay of the event loop), and
 * the time that the event loop was busy, from which its utilization over any span follows.
 */
export function processMetrics(registry: Registry): void {
  ofProcess ??= measured();
  for (const metric of ofProcess.getMetricsAsArray()) registry.registerMetric(metric as unknown as Metric);
}

function measured(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  pulledCounter(registry, {
    name: 'nodejs_eventloop_time_seconds_total',
    help: 'Time that the event loop was active, and idle; active over both is its utilization (ELU).',
    labels: ['nodejs_eventloop_state'],
    collect: (add) => {
      const { active, idle } = performance.eventLoopUtilization();
      add({ nodejs_eventloop_state: 'active' }, active / 1_000);
      add({ nodejs_eventloop_state: 'idle' }, idle / 1_000);
    },
  });
  return registry;
}
