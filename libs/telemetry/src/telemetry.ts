import type { CallObserver } from '@holdfast/core';
import type { PolicyObserver } from '@holdfast/resilience';
import type { RpcClientObserver } from '@holdfast/rpc';
import { Registry } from 'prom-client';
import type { Identity } from './identity.js';
import { AccessLog } from './logs/access-log.js';
import type { MeshView } from './metrics/mesh-view.js';
import { policyMetrics } from './metrics/policy-state.js';
import { processMetrics } from './metrics/process-metrics.js';
import { pulledGauge } from './metrics/pulled.js';
import { sourceMetrics } from './metrics/source-metrics.js';
import { targetMetrics } from './metrics/target-metrics.js';
import { PolicyWatch } from './policies.js';
import { RequestMetrics } from './request-metrics.js';
import type { Spans } from './spans.js';
import { readTraces, type TraceSettings } from './traces/trace-settings.js';

/** What is seen? One per process: its metrics, and its traces where they have somewhere to go. */
export class Telemetry {
  /** Every metric of the process. An app's own go here: `new Counter({ …, registers: [telemetry.metrics] })`. */
  readonly metrics = openMetrics();
  /** Writes a line for each request. */
  readonly access: AccessLog;
  readonly #spans: Spans | undefined;
  readonly #requests: RequestMetrics;
  readonly #policies: PolicyWatch;

  private constructor(identity: Identity, spans: Spans | undefined, access: AccessLog) {
    this.access = access;
    this.#spans = spans;
    this.#requests = new RequestMetrics(this.metrics, spans, access);
    this.#policies = new PolicyWatch(this.metrics, spans);
    const { name, id, zone = '', version = '' } = identity;
    pulledGauge(this.metrics, {
      name: 'holdfast_service_info',
      help: 'Always 1; its labels say which process this is.',
      labels: ['service', 'instance_id', 'zone', 'version'],
      collect: (set) => set({ service: name, instance_id: id, zone, version }, 1),
    });
    processMetrics(this.metrics);
  }

  /**
   * Loads what records traces, where the settings say that there is somewhere to send them.
   * @param writes whether lines of that level are logged now
   * @throws StartupError where the settings cannot be used
   */
  static async open(
    identity: Identity,
    settings: TraceSettings = {},
    writes: (level: 'log' | 'debug') => boolean = () => true,
  ): Promise<Telemetry> {
    const options = readTraces(identity, settings);
    const spans = options && new (await import('./traces/otlp-spans.js')).OtlpSpans(options);
    return new Telemetry(identity, spans, new AccessLog(writes));
  }

  /** Shows how the parts of the process stand from now on; asked for at each scrape and never in between. */
  show(view: MeshView): void {
    sourceMetrics(this.metrics, view);
    targetMetrics(this.metrics, view.targets);
    policyMetrics(this.metrics, view.resilience);
  }

  /** The observer of an HTTP route's requests. `route` is its template; undefined where none was found. */
  readonly route = (method: string, route: string | undefined): CallObserver => this.#requests.route(method, route);

  /** The observer of a gRPC method that is served. */
  readonly served = (method: string): CallObserver => this.#requests.served(method);

  /** The observer of a target's gRPC method. */
  readonly called = (method: string, target: string): RpcClientObserver => this.#requests.called(method, target);

  /** The observer of the policies of a name. */
  readonly policies = (name: string): PolicyObserver => this.#policies.observe(name);

  /** Sends the spans that have not been sent, within 5 s. */
  async close(): Promise<void> {
    await this.#spans?.close();
  }
}

/** The one format that can carry exemplars, and that every Prometheus since 2.5 reads. */
function openMetrics(): Registry {
  const registry = new Registry();
  (registry as unknown as Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>).setContentType(
    Registry.OPENMETRICS_CONTENT_TYPE,
  );
  return registry;
}
