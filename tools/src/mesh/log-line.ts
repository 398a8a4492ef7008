/** What an app logs as one JSON object a line when nobody reads along. */
interface LogEntry {
  readonly level: string;
  readonly message: unknown;
  readonly context?: unknown;
  readonly stack?: unknown;
}

/** `line` as a person reads it: a JSON log entry in words, with its stack below it, and everything else as it is. */
export function readable(line: string): readonly string[] {
  const entry = parse(line);
  if (!entry) return [line];
  const message = typeof entry.message === 'string' ? entry.message : JSON.stringify(entry.message);
  const context = typeof entry.context === 'string' ? `[${entry.context}] ` : '';
  const stack = typeof entry.stack === 'string' ? entry.stack.split('\n') : [];
  return [`${entry.level.toUpperCase()} ${context}${message}`, ...stack];
}

function parse(line: string): LogEntry | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return isLogEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function isLogEntry(value: unknown): value is LogEntry {
  return (
    typeof value === 'object' &&
    value !== null &&
    'message' in value &&
    'level' in value &&
    typeof value.level === 'string'
  );
}
