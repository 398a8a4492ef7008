import { ServiceBroker } from 'moleculer';

/** A local call, with no transporter, and all of Moleculer's policies on. It has no rate limit on calls. */
export async function make({ call, tolerant, fallback }) {
  const broker = new ServiceBroker({
    logger: false,
    requestTimeout: 1_000,
    retryPolicy: { enabled: true, retries: 2, check: (error) => error.code === 'ETRANSIENT' },
    circuitBreaker: {
      enabled: true,
      threshold: tolerant ? 1.01 : 0.5,
      minRequestCount: 20,
      windowTime: 60,
      halfOpenTime: 3_600_000,
      check: () => true,
    },
    bulkhead: { enabled: true, concurrency: 1_000, maxQueueSize: 1_000 },
  });
  broker.createService({
    name: 'users',
    actions: {
      get: {
        handler: (context) => call(context.params.name),
        ...(fallback && { fallback: () => ({ name: 'default user' }) }),
      },
    },
  });
  await broker.start();
  return { run: (name) => broker.call('users.get', { name }), close: () => broker.stop() };
}
