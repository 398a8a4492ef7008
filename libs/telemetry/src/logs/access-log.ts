import { CallContext, codeFacts, codeOf, type TraceContext } from '@holdfast/core';
import { Logger } from '@nestjs/common';
import { LogEntry } from './log-entry.js';

/** What is logged of a request over HTTP: where it went and how it ended, and nothing that it carried. */
export interface HttpAccess {
  readonly method: string;
  /** The path as it was asked for, without its query. */
  readonly path: string;
  /** The template that it matched; undefined where none did. */
  readonly route: string | undefined;
  readonly status: number;
  readonly durationMs: number;
  /** The address of the client, as far as the edge can tell. */
  readonly client: string;
  /** Undefined for one that never came to the door. */
  readonly requestId: string | undefined;
  readonly trace: TraceContext | undefined;
}

const MAX_PATH = 256;
const http = new Logger('Http');
const rpc = new Logger('Rpc');

/** One line for each request: at level `log` for one that came over HTTP, at `debug` for a call over gRPC. */
export class AccessLog {
  /** @param writes whether lines of that level are written now */
  constructor(private readonly writes: (level: 'log' | 'debug') => boolean) {}

  request({ method, path, route, status, durationMs, client, requestId, trace }: HttpAccess): void {
    if (!this.writes('log')) return;
    const shown = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path;
    const duration_ms = rounded(durationMs);
    const fields = { method, path: shown, route, status, duration_ms, client };
    // A request ends outside of its context, which is what names it on a line.
    const line = new LogEntry(`${method} ${shown} ${status} ${duration_ms} ms`, fields);
    CallContext.run(new CallContext({ requestId, trace }), () => http.log(line));
  }

  call(method: string, code: number, durationMs: number): void {
    if (!this.writes('debug')) return;
    const status = codeFacts[codeOf(code)].name;
    const duration_ms = rounded(durationMs);
    rpc.debug(new LogEntry(`${method} ${status} ${duration_ms} ms`, { method, status, duration_ms }));
  }
}

const rounded = (ms: number) => Math.round(ms * 100) / 100;
