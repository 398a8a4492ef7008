import { duration } from '@holdfast/resilience';
import { z } from 'zod';

const rate = z
  .number()
  .positive()
  .max(1_000_000)
  .describe('Requests a second that a client may make in the long run; above 0, to 1,000,000.');

const burst = z
  .int()
  .min(1)
  .max(1_000_000)
  .describe('Requests that a client may make at once after a quiet time; 1 to 1,000,000.');

/** `edge` in the configuration store. */
export const edgeSpec = z
  .strictObject({
    maxRequestTimeout: duration(1)
      .default(60_000)
      .describe('Longest deadline that X-Request-Timeout can ask for; 1ms to 60m.'),
    idempotencyTtl: duration(1)
      .default(3_600_000)
      .describe('How long the answer to a request with an Idempotency-Key is kept; 1ms to 60m.'),
  })
  .prefault({});

export type EdgeSpec = z.output<typeof edgeSpec>;

/** `rateLimit.client` in the configuration store. */
export const clientLimitSpec = z
  .strictObject({
    rate: rate.default(100),
    burst: burst.default(200),
    exempt: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .default(['127.0.0.0/8', '::1/128'])
      .describe(
        'Ranges of addresses that no limit counts for, those of routes included; by default this machine alone.',
      ),
  })
  .prefault({});

export type ClientLimitSpec = z.output<typeof clientLimitSpec>;

/** `rateLimit.<name>` in the configuration store. */
export const routeLimitSpec = z.strictObject({ rate, burst: burst.optional() });

/** What `@RateLimit` takes. */
export type RouteLimit = z.input<typeof routeLimitSpec>;

export const EDGE_KEY = 'edge';
export const CLIENT_LIMIT_KEY = 'rateLimit.client';
export const routeLimitKey = (name: string) => `rateLimit.${name}`;
