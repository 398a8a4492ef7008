import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import resilience from 'nestjs-resilience';

const {
  BulkheadStrategy,
  CircuitBreakerStrategy,
  FallbackStrategy,
  ResilienceCommand,
  RetryStrategy,
  ThrottleStrategy,
  TimeoutStrategy,
} = resilience;

// It writes a line for every call; no service in production has that level on.
Logger.overrideLogger(false);

/** Everything that nestjs-resilience has but its cache; it applies strategies from the inside out. */
export function make({ call, tolerant, fallback }) {
  class GetUser extends ResilienceCommand {
    run(name) {
      return call(name);
    }
  }
  const command = new GetUser([
    new TimeoutStrategy(1_000),
    new CircuitBreakerStrategy({
      requestVolumeThreshold: tolerant ? 1e9 : 20,
      sleepWindowInMilliseconds: 3_600_000,
      rollingWindowInMilliseconds: 60_000,
    }),
    new RetryStrategy({ maxRetries: 2, retryable: (error) => error.code === 'ETRANSIENT' }),
    new BulkheadStrategy({ maxConcurrent: 1_000, maxQueue: 1_000 }),
    new ThrottleStrategy({ ttl: 1_000, limit: 1_000_000 }),
    ...(fallback ? [new FallbackStrategy(() => ({ name: 'default user' }))] : []),
  ]);
  return { run: (name) => command.execute(name) };
}
