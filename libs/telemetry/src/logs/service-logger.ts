import { CallContext } from '@holdfast/core';
import type { LoggerService } from '@nestjs/common';
import { destination, pino, stdTimeFunctions, type DestinationStream, type Level, type Logger } from 'pino';
import type { Identity } from '../identity.js';
import { LogEntry } from './log-entry.js';
import { forTerminal } from './log-line.js';
import { errorFields, redact, redactText } from './redaction.js';

/** Nest's levels that can be the least one, from the most severe on, and pino's word for each. */
const levels = { error: 'error', warn: 'warn', log: 'info', debug: 'debug' } as const satisfies Record<string, Level>;

export interface ServiceLoggerOptions {
  /** Least severe kind of line that is written. @default log */
  readonly level?: keyof typeof levels;
  /** Where lines go. @default stdout: JSON, or words where a person reads along on a terminal */
  readonly to?: DestinationStream;
}

type Fields = Record<string, unknown>;

/** What Nest says while it puts an app together: of interest to who debugs that, and noise to everybody else. */
const ASSEMBLY = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'NestMicroservice',
  'RouterExplorer',
  'RoutesResolver',
]);
/**
 * Lines are written together, of so many bytes or after so many milliseconds, since a system call for each would cost more
 * than all the rest. From `warn` on they are written at once, with all before them.
 */
const BATCH_BYTES = 4_096;
const BATCH_MS = 100;
const STACK = /^.+\n\s+at /;

/**
 * Nest's logger on pino: one JSON object a line, with the ids of the request and trace that it is about, and without
 * secrets and bodies. Field names of ids: OpenTelemetry, "Trace Context in non-OTLP Log Formats".
 */
export class ServiceLogger implements LoggerService {
  readonly #pino: Logger;

  constructor(
    { name, id }: Pick<Identity, 'name' | 'id'>,
    { level = 'log', to = stdout() }: ServiceLoggerOptions = {},
  ) {
    const options = {
      level: levels[level],
      base: { service: name, instance: id },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    this.#pino = pino(options, to);
  }

  /** Writes nothing less severe than `level` from now on. */
  setLevel(level: keyof typeof levels): void {
    this.#pino.level = levels[level];
  }

  log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    this.#write(typeof context === 'string' && ASSEMBLY.has(context) ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    // Nest logs what a provider throws at the start and throws it on; it is told once, by whoever ends the process.
    if (rest.at(-1) === 'ExceptionHandler') return;
    this.#write('error', message, rest);
    this.#pino.flush();
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
    this.#pino.flush();
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
    this.#pino.flush();
  }

  /** There is one for each request: no object is made that need not be. */
  #writeEntry(level: Level, { text, fields }: LogEntry, context: unknown): void {
    const all = callFields();
    if (typeof context === 'string') all['context'] = context;
    for (const name in fields) all[name] = fields[name];
    this.#pino[level](all, redactText(text));
  }

  /** @param rest what Nest's loggers add: further messages, the stack of an error, and the context as the last */
  #write(level: Level, message: unknown, rest: readonly unknown[]): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    if (message instanceof LogEntry) return this.#writeEntry(level, message, rest.at(-1));
    const last = rest.at(-1);
    const context = typeof last === 'string' && !STACK.test(last) ? last : undefined;
    const others = context === undefined ? rest : rest.slice(0, -1);
    const stack = others.find((other): other is string => typeof other === 'string' && STACK.test(other));
    const details = others.filter((other) => other !== stack && other !== undefined);
    const error = message instanceof Error ? message : undefined;
    const fields = {
      ...callFields(),
      ...(context !== undefined && { context }),
      ...(error ? { err: errorFields(error) } : stack !== undefined && { err: { stack: redactText(stack) } }),
      ...(details.length > 0 && { details: redact(details) }),
      ...(!error && typeof message === 'object' && message !== null && { data: redact(message) }),
    };
    this.#pino[level](fields, error ? redactText(error.message) : textOf(message));
  }
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return redactText(message);
  return typeof message === 'object' && message !== null
    ? JSON.stringify(redact(message))
    : redactText(String(message));
}

/** The call that a line is about. */
function callFields(): Fields {
  const fields: Fields = {};
  const context = CallContext.current();
  if (!context) return fields;
  const { requestId, trace } = context;
  if (requestId !== undefined) fields['request_id'] = requestId;
  if (trace) {
    const { traceparent } = trace;
    fields['trace_id'] = traceparent.slice(3, 35);
    fields['span_id'] = traceparent.slice(36, 52);
  }
  return fields;
}

function stdout(): DestinationStream {
  if (process.stdout.isTTY) {
    const coloured = !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
    return { write: (line) => void process.stdout.write(`${forTerminal(line.trimEnd(), coloured)}\n`) };
  }
  // What has not been written when the process exits is written then.
  return destination({ dest: 1, sync: false, minLength: BATCH_BYTES, periodicFlush: BATCH_MS });
}
