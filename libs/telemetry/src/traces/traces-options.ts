/** Where traces go. */
export interface TracesOptions {
  /** Where spans are posted: a whole URL, such as `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string;
  /** Sent with each post: what the collector wants to know who asks by. */
  readonly headers: Readonly<Record<string, string>>;
  /** Share of the traces begun here that is kept, 0 to 1; one that came from elsewhere was decided about there. */
  readonly ratio: number;
  /** What the process says of itself. */
  readonly resource: Readonly<Record<string, string>>;
}
