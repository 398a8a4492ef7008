import { Bulkhead, Circuit, Fallback, Ratelimit, Retry, SlidingTimeBreaker, Timeout } from 'mollitia';

/** Everything that mollitia has but its cache. */
export function make({ call, tolerant, fallback }) {
  const circuit = new Circuit({
    name: 'users.get',
    func: call,
    options: {
      modules: [
        ...(fallback ? [new Fallback({ callback: () => ({ name: 'default user' }) })] : []),
        new Ratelimit({ limitPeriod: 1_000, limitForPeriod: 1_000_000 }),
        new Bulkhead({ concurrentSize: 1_000, queueSize: 1_000 }),
        new Retry({ attempts: 2, onRejection: (error) => error.code === 'ETRANSIENT' }),
        new SlidingTimeBreaker({
          slidingWindowSize: 10_000,
          minimumNumberOfCalls: 20,
          failureRateThreshold: tolerant ? 101 : 50,
          slowCallRateThreshold: 101,
          openStateDelay: 3_600_000,
        }),
        new Timeout({ delay: 1_000 }),
      ],
    },
  });
  return { run: (name) => circuit.execute(name), close: () => circuit.dispose() };
}
