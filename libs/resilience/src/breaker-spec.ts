import { z } from 'zod';

const milliseconds = (min: number, max: number) => z.number().min(min).max(max);
const percentage = () => z.number().min(1).max(100);

/** The options of a breaker. All of them are read when they are needed, so each can change while the process serves. */
export const breakerSpec = z
  .object({
    volumeThreshold: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(20)
      .describe('Calls that the window must hold before the breaker may open; 1 to 1,000,000.'),
    errorThresholdPercentage: percentage()
      .default(50)
      .describe('Share of failed calls in the window at which the breaker opens, in percent; 1 to 100.'),
    slowCallDurationMs: milliseconds(1, 3_600_000)
      .optional()
      .describe(
        'From this duration on a call is slow, in milliseconds; 1 to 3,600,000. Where it is not set, no call is slow.',
      ),
    slowCallPercentage: percentage()
      .default(50)
      .describe('Share of slow calls in the window at which the breaker opens, in percent; 1 to 100.'),
    windowMs: milliseconds(100, 3_600_000)
      .default(10_000)
      .describe(
        'How far back calls are judged, in milliseconds; 100 to 3,600,000. A change keeps the counts and stretches them.',
      ),
    openMs: milliseconds(1, 3_600_000)
      .default(5_000)
      .describe(
        'How long the breaker refuses all calls before it lets probes through, in milliseconds; 1 to 3,600,000. ' +
          'Doubles each time the probes fail, up to maxOpenMs; up to a fifth is added at random.',
      ),
    maxOpenMs: milliseconds(1, 3_600_000)
      .default(60_000)
      .describe('Bound of the doubled openMs, in milliseconds; 1 to 3,600,000, and not below openMs.'),
    probes: z
      .int()
      .min(1)
      .max(1_000)
      .default(1)
      .describe(
        'Calls that are let through after openMs, all others being refused; 1 to 1,000. ' +
          'All must succeed for the breaker to close, and the first that fails opens it again.',
      ),
    probeTimeoutMs: milliseconds(1, 3_600_000)
      .default(10_000)
      .describe(
        'A probe without an outcome after this time has failed, in milliseconds; 1 to 3,600,000. ' +
          'The attempt timeout counts where it is shorter.',
      ),
  })
  .refine(({ openMs, maxOpenMs }) => openMs <= maxOpenMs, {
    path: ['maxOpenMs'],
    message: 'must not be below openMs',
  });

/** A breaker's options, complete. */
export type BreakerSpec = z.output<typeof breakerSpec>;
