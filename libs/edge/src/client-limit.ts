import { RateLimited, type Clock, type Live, type Unsubscribe } from '@holdfast/core';
import { TokenBucket, type RateLimitSpec } from '@holdfast/resilience';
import { RecentMap } from './recent-map.js';

/** Clients whose buckets are surely kept. One that is forgotten starts with a full bucket. */
const MOST_CLIENTS = 10_000;

/** What is left for a client, as the `RateLimit-*` headers say it. */
export interface Allowance {
  readonly allowed: boolean;
  /** Requests that can be made at once at most. */
  readonly limit: number;
  /** Requests that could be made now. */
  readonly remaining: number;
  /** Whole seconds until `remaining` is `limit` again. */
  readonly resetSeconds: number;
  /** Milliseconds until the next request is allowed; 0 where it is now. */
  readonly retryAfterMs: number;
}

interface Rate {
  readonly rate: number;
  readonly burst?: number | undefined;
}

/** A client's tokens. It is told of changes by its limit, which so can let go of it, and not by the settings. */
class ClientBucket implements Live<RateLimitSpec> {
  value: RateLimitSpec;
  readonly tokens: TokenBucket;
  #listener: ((spec: RateLimitSpec) => void) | undefined;

  constructor(spec: RateLimitSpec, clock: Clock) {
    this.value = spec;
    this.tokens = new TokenBucket(this, clock);
  }

  subscribe(listener: (spec: RateLimitSpec) => void): Unsubscribe {
    this.#listener = listener;
    return () => (this.#listener = undefined);
  }

  change(spec: RateLimitSpec): void {
    this.value = spec;
    this.#listener?.(spec);
  }
}

/** One token bucket for each client, up to a bounded number of them; a change of the numbers keeps what the buckets hold. */
export class ClientLimit {
  readonly #clock: Clock;
  readonly #buckets = new RecentMap<string, ClientBucket>(MOST_CLIENTS);
  #spec: RateLimitSpec;

  constructor(spec: Live<Rate>, clock: Clock) {
    this.#clock = clock;
    this.#spec = withoutWait(spec.value);
    spec.subscribe((changed) => {
      this.#spec = withoutWait(changed);
      for (const bucket of this.#buckets.values()) bucket.change(this.#spec);
    });
  }

  /** Takes a token of `client`, if there is one. */
  take(client: string): Allowance {
    const bucket = this.#bucketOf(client);
    const now = this.#clock.now();
    return this.#allowance(bucket, now, bucket.take(now, now) === now);
  }

  /** What `take` would say, with nothing taken. */
  peek(client: string): Allowance {
    const bucket = this.#bucketOf(client);
    return this.#allowance(bucket, this.#clock.now(), bucket.tokens >= 1);
  }

  #allowance(bucket: TokenBucket, now: number, allowed: boolean): Allowance {
    const { tokens } = bucket;
    const limit = this.#spec.burst!;
    return {
      allowed,
      limit,
      remaining: Math.max(0, Math.floor(tokens)),
      resetSeconds: Math.ceil((limit - tokens) / this.#spec.rate),
      retryAfterMs: allowed ? 0 : bucket.readyInMs(now),
    };
  }

  #bucketOf(client: string): TokenBucket {
    let bucket = this.#buckets.get(client);
    if (!bucket) this.#buckets.set(client, (bucket = new ClientBucket(this.#spec, this.#clock)));
    return bucket.tokens;
  }
}

function withoutWait({ rate, burst }: Rate): RateLimitSpec {
  return { rate, burst: burst ?? Math.max(1, Math.round(rate / 10)), maxWait: 0 };
}

/** The error for a request that a limit refuses. */
export function tooMany({ retryAfterMs }: Allowance): RateLimited {
  return new RateLimited('More requests than this client may make; ask again later.', { retryAfterMs });
}
