import { styleText } from 'node:util';

/** What a service logs as one JSON object a line when nobody reads along. */
interface Line {
  readonly level: string;
  readonly msg: unknown;
  readonly time?: unknown;
  readonly context?: unknown;
  readonly err?: unknown;
}

/** `line` as a person reads it: a JSON log entry in words, with its stack below it, and everything else as it is. */
export function readable(line: string): readonly string[] {
  const entry = parse(line);
  return entry ? wordsOf(entry) : [line];
}

/** The same for a terminal of this process: with the time before it, and what is wrong in colour. */
export function forTerminal(line: string, coloured: boolean): string {
  const entry = parse(line);
  if (!entry) return line;
  const time = typeof entry.time === 'string' ? `${entry.time.slice(11, 23)} ` : '';
  const [first = '', ...stack] = wordsOf(entry);
  const styled = coloured ? (style[entry.level]?.(first) ?? first) : first;
  return [`${time}${styled}`, ...stack].join('\n');
}

const style: Readonly<Record<string, (text: string) => string>> = {
  fatal: (text) => styleText('red', text),
  error: (text) => styleText('red', text),
  warn: (text) => styleText('yellow', text),
};

function wordsOf({ level, msg, context, err }: Line): readonly string[] {
  const text = typeof msg === 'string' ? msg : JSON.stringify(msg);
  const from = typeof context === 'string' ? `[${context}] ` : '';
  return [`${level.toUpperCase()} ${from}${text}`, ...stackOf(err)];
}

function stackOf(err: unknown): readonly string[] {
  const stack = (err as { stack?: unknown } | undefined)?.stack;
  return typeof stack === 'string' ? stack.split('\n') : [];
}

function parse(line: string): Line | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return isLine(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function isLine(value: unknown): value is Line {
  return (
    typeof value === 'object' && value !== null && 'msg' in value && 'level' in value && typeof value.level === 'string'
  );
}
