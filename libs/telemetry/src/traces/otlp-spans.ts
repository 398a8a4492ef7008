import {
  ROOT_CONTEXT,
  SpanKind as Kind,
  SpanStatusCode,
  trace as traces,
  TraceFlags,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { ExportResultCode, parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { systemClock, type Timer, type TraceContext, type TraceFacts } from '@holdfast/core';
import { Logger } from '@nestjs/common';
import type { SpanKind, Spans } from '../spans.js';
import type { TracesOptions } from './traces-options.js';

const kinds: Readonly<Record<SpanKind, Kind>> = {
  server: Kind.SERVER,
  client: Kind.CLIENT,
  internal: Kind.INTERNAL,
};
/** Spans that wait to be sent at most; what comes beyond is dropped, so that a collector that is down costs no memory. */
const MAX_QUEUE = 2_048;
const MAX_BATCH = 512;
/** How long an export may take, in milliseconds. */
const EXPORT_MS = 5_000;
/** How long the last one may hold up the end of the process, in milliseconds. */
const CLOSE_MS = 2_000;

const logger = new Logger('Traces');

/** A span as the rest of the process carries it. */
class RecordedSpan implements TraceContext {
  readonly span: Span;
  readonly tracestate?: string;
  #traceparent: string | undefined;

  constructor(span: Span, tracestate: string | undefined) {
    this.span = span;
    if (tracestate !== undefined) this.tracestate = tracestate;
  }

  get traceparent(): string {
    if (this.#traceparent === undefined) {
      const { traceId, spanId, traceFlags } = this.span.spanContext();
      this.#traceparent = `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`;
    }
    return this.#traceparent;
  }

  note(event: string, facts?: TraceFacts): void {
    this.span.addEvent(event, facts);
  }
}

/**
 * Spans by OpenTelemetry's SDK, sent over OTLP/HTTP in batches. Nothing global is set and nothing is patched: parents come
 * from the trace context that a call carries, so several services in one process keep apart.
 */
export class OtlpSpans implements Spans {
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;

  constructor({ url, headers, ratio, resource }: TracesOptions) {
    const exporter = told(new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: EXPORT_MS }), url);
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ ...resource }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          maxQueueSize: MAX_QUEUE,
          maxExportBatchSize: MAX_BATCH,
          exportTimeoutMillis: EXPORT_MS,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('holdfast');
  }

  begin(name: string, kind: SpanKind, parent: TraceContext | undefined, facts: TraceFacts): TraceContext {
    const span = this.#tracer.startSpan(name, { kind: kinds[kind], attributes: facts }, contextOf(parent));
    return new RecordedSpan(span, parent?.tracestate);
  }

  end(span: TraceContext | undefined, facts: TraceFacts, failed: boolean): void {
    if (!(span instanceof RecordedSpan)) return;
    span.span.setAttributes(facts);
    if (failed) span.span.setStatus({ code: SpanStatusCode.ERROR });
    span.span.end();
  }

  async close(): Promise<void> {
    let bound: Timer | undefined;
    const late = new Promise<void>((resolve) => (bound = systemClock.after(CLOSE_MS, resolve)));
    // A collector that is away is no reason for a process not to end well.
    await Promise.race([this.#provider.shutdown().catch(() => undefined), late]);
    bound?.cancel();
  }
}

/** The exporter, which now says in the log when the collector stops taking spans, and when it takes them again. */
function told(exporter: OTLPTraceExporter, url: string): SpanExporter {
  let failing = false;
  const { host } = new URL(url);
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const fails = result.code !== ExportResultCode.SUCCESS;
        if (fails && !failing) {
          const why = result.error?.message ?? 'it gives no reason';
          logger.warn(`The collector at ${host} takes no traces, which are lost until it does: ${why}`);
        } else if (!fails && failing) logger.log(`The collector at ${host} takes traces again.`);
        failing = fails;
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

function contextOf(parent: TraceContext | undefined): Context {
  if (!parent) return ROOT_CONTEXT;
  if (parent instanceof RecordedSpan) return traces.setSpan(ROOT_CONTEXT, parent.span);
  const remote = parseTraceParent(parent.traceparent);
  return remote ? traces.setSpanContext(ROOT_CONTEXT, { ...remote, isRemote: true }) : ROOT_CONTEXT;
}
