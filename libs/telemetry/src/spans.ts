import type { TraceContext, TraceFacts } from '@holdfast/core';

/** server: this process serves it · client: it asks another · internal: neither */
export type SpanKind = 'server' | 'client' | 'internal';

/** Where spans are recorded: the narrow port between what is observed and the tracing library, which is loaded only where it is used. */
export interface Spans {
  /** Begins a span in the trace of `parent`, or in a new one. What it gives back is what the work carries on. */
  begin(name: string, kind: SpanKind, parent: TraceContext | undefined, facts: TraceFacts): TraceContext;
  /** Ends what {@link begin} gave; anything else is left alone. */
  end(span: TraceContext | undefined, facts: TraceFacts, failed: boolean): void;
  /** Sends what has not been sent and ends. */
  close(): Promise<void>;
}
