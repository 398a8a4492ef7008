import CircuitBreaker from 'opossum';

/** opossum as it comes: a breaker and a timeout. */
export function make({ call, tolerant }) {
  const breaker = new CircuitBreaker(call, {
    ...(tolerant && { errorThresholdPercentage: 100, rollingCountTimeout: 60_000 }),
    ...(!tolerant && { resetTimeout: 3_600_000 }),
  });
  return { run: (name) => breaker.fire(name), close: () => breaker.shutdown() };
}
