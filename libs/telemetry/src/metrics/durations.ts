import type { TraceContext } from '@holdfast/core';
import type { Metric, MetricObjectWithValues, MetricType, MetricValue, Registry } from 'prom-client';

/** What a duration took, in seconds: where the steps of the histogram are. */
export type Bounds = readonly number[];

export interface DurationsOptions {
  readonly name: string;
  readonly help: string;
  /** The names of the labels, in the order in which {@link Durations.series} takes their values. */
  readonly labels: readonly string[];
  /** Upper bounds of the buckets, in seconds, rising. */
  readonly bounds: Bounds;
  /** How many series there may be; what would be more is one series whose labels are all `_OTHER`. @default 1_000 */
  readonly maxSeries?: number;
}

type Values = MetricObjectWithValues<MetricValue<string>>['values'];

/** One series of a {@link Durations}: found once, then told of each duration. */
export class DurationSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly #boundsMs: Float64Array;
  readonly #counts: Float64Array;
  #sumMs = 0;
  /** The latest sampled trace of each bucket; made with the first. */
  #exemplars: ({ readonly trace: TraceContext; readonly ms: number; readonly at: number } | undefined)[] | undefined;

  constructor(labels: Readonly<Record<string, string>>, boundsMs: Float64Array) {
    this.labels = labels;
    this.#boundsMs = boundsMs;
    this.#counts = new Float64Array(boundsMs.length + 1);
  }

  /** Counts one that took `ms` milliseconds. `trace`, where it is sampled, is shown beside its bucket. */
  observe(ms: number, trace: TraceContext | undefined): void {
    const bounds = this.#boundsMs;
    let bucket = 0;
    while (bucket < bounds.length && ms > bounds[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sumMs += ms;
    if (trace !== undefined && isSampled(trace)) (this.#exemplars ??= [])[bucket] = { trace, ms, at: Date.now() };
  }

  /** Its lines, the buckets cumulative as Prometheus wants them. */
  lines(name: string): Values {
    const lines: Values = [];
    let count = 0;
    this.#counts.forEach((inBucket, index) => {
      count += inBucket;
      const exemplar = this.#exemplars?.[index];
      const bound = this.#boundsMs[index];
      lines.push({
        metricName: `${name}_bucket`,
        labels: { ...this.labels, le: bound === undefined ? '+Inf' : bound / 1_000 },
        value: count,
        ...(exemplar && {
          exemplar: {
            labelSet: { trace_id: exemplar.trace.traceparent.slice(3, 35) },
            value: exemplar.ms / 1_000,
            timestamp: exemplar.at / 1_000,
          },
        }),
      } as Values[number]);
    });
    lines.push({ metricName: `${name}_sum`, labels: this.labels, value: this.#sumMs / 1_000 } as Values[number]);
    lines.push({ metricName: `${name}_count`, labels: this.labels, value: count } as Values[number]);
    return lines;
  }
}

/**
 * A histogram that a hot path can afford. prom-client's own looks its series up by a hash of the labels for every single
 * observation; here a caller keeps its {@link DurationSeries}, and to observe is to add to an array. It is read by
 * prom-client's registry like any metric of its own.
 */
export class Durations {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram' as unknown as MetricType;
  readonly labels: readonly string[];
  readonly #boundsMs: Float64Array;
  readonly #maxSeries: number;
  readonly #series = new Map<string, DurationSeries>();

  constructor(registry: Registry, { name, help, labels, bounds, maxSeries = 1_000 }: DurationsOptions) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.#boundsMs = Float64Array.from(bounds, (seconds) => seconds * 1_000);
    this.#maxSeries = maxSeries;
    registry.registerMetric(this as unknown as Metric);
  }

  /** The series with these values of the labels, one and the same each time. */
  series(...values: readonly string[]): DurationSeries {
    const known = this.#series.get(values.join('\n'));
    if (known) return known;
    const own = this.#series.size < this.#maxSeries ? values : values.map(() => '_OTHER');
    const key = own.join('\n');
    let series = this.#series.get(key);
    if (!series) {
      const labels = Object.fromEntries(this.labels.map((label, index) => [label, own[index]!]));
      this.#series.set(key, (series = new DurationSeries(labels, this.#boundsMs)));
    }
    return series;
  }

  /** What prom-client asks a metric for. */
  get(): Promise<Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>> {
    const values = [...this.#series.values()].flatMap((series) => series.lines(this.name));
    return Promise.resolve({ name: this.name, help: this.help, type: this.type, aggregator: 'sum', values });
  }

  reset(): void {
    this.#series.clear();
  }
}

/** The flag of W3C trace context that says that somebody keeps the trace: the last bit of the header. */
function isSampled({ traceparent }: TraceContext): boolean {
  return (traceparent.charCodeAt(traceparent.length - 1) & 1) === 1;
}
