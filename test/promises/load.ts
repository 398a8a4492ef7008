import { Agent, request as httpRequest } from 'node:http';
import { seededRandom, type Random } from '@holdfast/core';

export interface Outcome {
  readonly kind: 'get' | 'create';
  /** On `performance.now()`. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Undefined where there was no answer at all. */
  readonly status: number | undefined;
  readonly failure: string | undefined;
  readonly servedBy: string | undefined;
}

export interface LoadOptions {
  /** Where the next request goes: a gateway's URL. Asked for every request, as a load balancer is. */
  readonly url: () => string;
  /** Requests that wait for their answer at any time. */
  readonly callers: number;
  /** Of the callers, how many create users, which is not idempotent. @default 0 */
  readonly creators?: number;
  /** Pause of each caller between its requests, in milliseconds, ± 50 %. @default 5 */
  readonly pauseMs?: number;
  readonly seed?: number;
}

/** Callers that ask one request after the other, over kept connections and without retries: what they see fail, failed. */
export class Load {
  readonly outcomes: Outcome[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #names = new Set<string>();

  constructor(private readonly options: LoadOptions) {
    const random = seededRandom(options.seed ?? 1);
    const callers = Array.from({ length: options.callers }, (_, n) =>
      this.#call(n < (options.creators ?? 0) ? 'create' : 'get', random),
    );
    this.#running = Promise.all(callers);
  }

  failuresOf(kind?: Outcome['kind']): readonly Outcome[] {
    return this.outcomes.filter((outcome) => (!kind || outcome.kind === kind) && outcome.failure !== undefined);
  }

  /** Ends the load after the answers that are waited for. */
  async stop(): Promise<readonly Outcome[]> {
    this.#stop.abort();
    await this.#running;
    this.#agent.destroy();
    return this.outcomes;
  }

  async #call(kind: Outcome['kind'], random: Random): Promise<void> {
    const pause = this.options.pauseMs ?? 5;
    while (!this.#stop.signal.aborted) {
      this.outcomes.push(await this.#request(kind));
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + random())));
    }
  }

  #request(kind: Outcome['kind']): Promise<Outcome> {
    const startedAt = performance.now();
    const name = `u${this.#names.size}-${process.pid}`;
    const expected = kind === 'get' ? 200 : 201;
    if (kind === 'create') this.#names.add(name);
    return new Promise((resolve) => {
      const done = (status: number | undefined, failure: string | undefined, body = '') =>
        resolve({
          kind,
          startedAt,
          endedAt: performance.now(),
          status,
          failure,
          servedBy: /"servedBy":"([^"]+)"/.exec(body)?.[1],
        });
      const url = `${this.options.url()}/users${kind === 'get' ? '/alice' : ''}`;
      const request = httpRequest(url, { agent: this.#agent, method: kind === 'get' ? 'GET' : 'POST' }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('error', (error) => done(response.statusCode, error.message));
        // A fallback's answer has the right status, but no service gave it.
        const served = () => response.statusCode === expected && !body.includes('"servedBy":"gateway');
        response.on('end', () => done(response.statusCode, served() ? undefined : body, body));
      });
      request.on('error', (error) => done(undefined, error.message));
      request.setTimeout(10_000, () => request.destroy(new Error('no answer within 10 s')));
      if (kind === 'create') {
        request.setHeader('content-type', 'application/json');
        request.write(JSON.stringify({ name }));
      }
      request.end();
    });
  }
}

export const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1_000));
