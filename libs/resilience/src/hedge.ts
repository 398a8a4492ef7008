import { z } from 'zod';
import { duration } from './duration.js';

export const hedgeSpec = z.strictObject({
  delay: duration(1).describe(
    'A second attempt is sent when the first has not answered after this time; 1ms to 60m. The 95th percentile of the ' +
      'answers’ time adds 5 % load. The first answer counts, and the other attempt is cancelled.',
  ),
});

/**
 * A second attempt against the slow few: only for calls that may be sent twice, within the retry budget, and only where
 * bulkhead and breaker have room at that moment.
 * Source: Dean, Barroso, "The Tail at Scale", CACM 2013.
 */
export type HedgeSpec = z.output<typeof hedgeSpec>;
