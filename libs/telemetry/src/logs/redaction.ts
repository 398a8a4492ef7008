/** What stands in the place of what must not be read. */
const REDACTED = '[redacted]';
/** Names of fields whose values are secrets, or what a caller sent, in whatever case and with whatever around them. */
const SECRET =
  /passw|passphrase|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key|session|^body$|^payload$/i;
/** Secrets within a text: the user part of a URL, what follows an authentication scheme, and values of such parameters. */
const USER_PART = /(\b[a-z][a-z\d+.-]*:\/\/)[^\s/@"']+@/gi;
const SCHEME = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi;
const PARAMETER = /\b((?:access_|refresh_|id_)?(?:token|password|passwd|secret|api_?key)=)[^\s&"']+/gi;

const MAX_DEPTH = 5;
const MAX_ENTRIES = 50;
const MAX_CHARS = 8_000;

/** `text` without the secrets that can be told by what is around them, and no longer than a line of a log may be. */
export function redactText(text: string): string {
  const bounded = text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
  // Most lines have nothing of the kind, and this is quicker than the three.
  if (!/[@=]|bearer|basic/i.test(bounded)) return bounded;
  return bounded
    .replace(USER_PART, `$1${REDACTED}@`)
    .replace(SCHEME, `$1 ${REDACTED}`)
    .replace(PARAMETER, `$1${REDACTED}`);
}

/** `value` as it may be logged: without secrets and bodies, at whatever depth, and of bounded size. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return errorFields(value);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((entry) => redact(entry, depth + 1));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    entries
      .slice(0, MAX_ENTRIES)
      .map(([key, entry]) => [String(key), SECRET.test(String(key)) ? REDACTED : redact(entry, depth + 1)]),
  );
}

/** Of an error, what helps to find it; not its other fields, which may hold the request that it is about. */
export function errorFields(error: Error): Readonly<Record<string, unknown>> {
  const code = (error as { code?: unknown }).code;
  return {
    type: error.name,
    message: redactText(error.message),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(error.stack !== undefined && { stack: redactText(error.stack) }),
    ...(error.cause instanceof Error && { cause: redactText(`${error.cause.name}: ${error.cause.message}`) }),
  };
}
