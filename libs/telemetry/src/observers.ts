import { codeFacts, codeOf, type CallObserver, type Code, type TraceContext, type TraceFacts } from '@holdfast/core';
import type { RpcClientObserver } from '@holdfast/rpc';
import type { AccessLog } from './logs/access-log.js';
import type { Durations, DurationSeries } from './metrics/durations.js';
import type { SpanKind, Spans } from './spans.js';

/** Everything about a method or route that does not change from call to call. */
interface Watched {
  readonly durations: Durations;
  /** The values of the labels that come before the status. */
  readonly labels: readonly string[];
  readonly spans: Spans | undefined;
  readonly spanName: string;
  readonly kind: SpanKind;
  /** What each of its spans says. */
  readonly facts: TraceFacts;
}

/** Observes calls of one method or route: a series for each status, found once, and a span where spans are recorded. */
abstract class StatusObserver implements CallObserver {
  readonly watched: Watched;
  readonly #series: (DurationSeries | undefined)[] = [];

  constructor(watched: Watched) {
    this.watched = watched;
  }

  begin(trace: TraceContext | undefined, peer?: string): TraceContext | undefined {
    const { spans, spanName, kind, facts } = this.watched;
    if (!spans) return trace;
    return spans.begin(spanName, kind, trace, peer === undefined ? facts : { ...facts, 'network.peer.address': peer });
  }

  end(code: number, durationMs: number, trace: TraceContext | undefined): void {
    const { durations, labels, spans } = this.watched;
    (this.#series[code] ??= durations.series(...labels, this.statusName(code))).observe(durationMs, trace);
    if (spans) this.endSpan(spans, code, trace);
  }

  protected abstract statusName(code: number): string;
  protected abstract endSpan(spans: Spans, code: number, trace: TraceContext | undefined): void;
}

/** The requests of one route. Span and attributes: OpenTelemetry's conventions for HTTP servers. */
export class RouteObserver extends StatusObserver {
  protected statusName(code: number): string {
    return String(code);
  }

  protected endSpan(spans: Spans, code: number, trace: TraceContext | undefined): void {
    spans.end(trace, { 'http.response.status_code': code }, code >= 500);
  }
}

/** Calls over gRPC, at either side. Span and attributes: OpenTelemetry's conventions for gRPC. */
abstract class RpcObserver extends StatusObserver {
  protected statusName(code: number): string {
    return codeFacts[codeOf(code)].name;
  }
}

/** The calls of one method that is served. */
export class ServedObserver extends RpcObserver {
  readonly #access: AccessLog;

  constructor(watched: Watched, access: AccessLog) {
    super(watched);
    this.#access = access;
  }

  override end(code: number, durationMs: number, trace: TraceContext | undefined): void {
    super.end(code, durationMs, trace);
    this.#access.call(this.watched.spanName, code, durationMs);
  }

  protected endSpan(spans: Spans, code: number, trace: TraceContext | undefined): void {
    const { name, blame } = codeFacts[codeOf(code)];
    spans.end(trace, { 'rpc.response.status_code': name }, blame === 'server');
  }
}

/** The attempts and calls of one method of a target. */
export class CalledObserver extends RpcObserver implements RpcClientObserver {
  readonly #calls: Durations;
  readonly #series: (DurationSeries | undefined)[] = [];

  constructor(watched: Watched, calls: Durations) {
    super(watched);
    this.#calls = calls;
  }

  called(code: Code, durationMs: number, trace: TraceContext | undefined): void {
    const series = (this.#series[code] ??= this.#calls.series(...this.watched.labels, this.statusName(code)));
    series.observe(durationMs, trace);
  }

  protected endSpan(spans: Spans, code: number, trace: TraceContext | undefined): void {
    spans.end(trace, { 'rpc.response.status_code': this.statusName(code) }, code !== 0);
  }
}
