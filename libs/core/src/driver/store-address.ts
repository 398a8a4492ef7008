import { StartupError } from '../service-error.js';

/** A URL that names a registry or a store, taken apart as far as all drivers agree on. */
export class StoreAddress {
  /** Lower-case, without the colon. */
  readonly scheme: string;
  /** What stands between the scheme and the query, as written. */
  readonly body: string;
  readonly #variable: string;
  readonly #url: string;
  readonly #query: URLSearchParams;

  /** @param variable the environment variable that it is from, for errors */
  constructor(variable: string, url: string) {
    const parts = /^([a-zA-Z][a-zA-Z0-9+.-]*):([^?]*)(?:\?(.*))?$/s.exec(url);
    this.#variable = variable;
    this.#url = url;
    this.scheme = parts?.[1]?.toLowerCase() ?? '';
    this.body = parts?.[2] ?? '';
    this.#query = new URLSearchParams(parts?.[3] ?? '');
  }

  /**
   * The query's parameters.
   * @throws StartupError when there is one that is not among `known`, or one is given twice
   */
  query<Name extends string>(...known: Name[]): Partial<Record<Name, string>> {
    const values: Partial<Record<string, string>> = {};
    for (const [name, value] of this.#query) {
      if (!(known as string[]).includes(name)) {
        const allowed = known.length === 0 ? 'it takes none' : `use ${known.join(', ')}`;
        throw this.wrong(`has an unknown parameter "${name}"; ${allowed}`);
      }
      if (values[name] !== undefined) throw this.wrong(`has the parameter "${name}" twice; give it once`);
      values[name] = value;
    }
    return values as Partial<Record<Name, string>>;
  }

  /** The error that says what is wrong with this URL and what to write instead; secrets in the URL are left out. */
  wrong(problem: string): StartupError {
    return new StartupError(`${this.#variable} "${this.#redacted()}" ${problem}.`);
  }

  /** Everything that could be a credential goes, rather a little too much than too little. */
  #redacted(): string {
    return this.#url
      .replace(/(?<=[?&](?:token|password|user)=)[^&]*/gi, '***')
      .replace(/(?<=^[^?]*?:(?:\/\/)?)[^?]*@/, '***@');
  }
}
