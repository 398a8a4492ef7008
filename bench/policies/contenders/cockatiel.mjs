import {
  bulkhead,
  circuitBreaker,
  ExponentialBackoff,
  fallback,
  handleAll,
  handleWhen,
  retry,
  SamplingBreaker,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';

/** Everything that cockatiel has, in the order of its documentation. It has no rate limit. */
export function make({ call, tolerant, fallback: withFallback }) {
  const policy = wrap(
    ...(withFallback ? [fallback(handleAll, { name: 'default user' })] : []),
    timeout(2_000, TimeoutStrategy.Aggressive),
    bulkhead(1_000, 1_000),
    retry(
      handleWhen((error) => error.code === 'ETRANSIENT'),
      { maxAttempts: 2, backoff: new ExponentialBackoff() },
    ),
    circuitBreaker(handleAll, {
      halfOpenAfter: 3_600_000,
      breaker: new SamplingBreaker({
        threshold: tolerant ? 0.999_999 : 0.5,
        duration: 10_000,
        minimumRps: tolerant ? 1e9 : 2,
      }),
    }),
    timeout(1_000, TimeoutStrategy.Aggressive),
  );
  return { run: (name) => policy.execute(() => call(name)) };
}
