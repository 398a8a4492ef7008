/** A line with fields of its own beside its text, for `logger.log(new LogEntry(…))` of any Nest logger. */
export class LogEntry {
  constructor(
    readonly text: string,
    readonly fields: Readonly<Record<string, string | number | boolean | undefined>>,
  ) {}

  /** What a logger that knows nothing of fields prints. */
  toString(): string {
    return this.text;
  }
}
