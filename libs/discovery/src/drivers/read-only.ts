import { VerbScope } from '@holdfast/core/driver';
import type { Clock } from '@holdfast/core';
import type { Answer, Instance, RegistryDriver } from '../driver.js';

/** Registering does nothing, so that it takes no time. In milliseconds. */
const NOTHING_MS = 1_000;

/**
 * A registry that somebody else fills: a person, or the platform that starts the instances. Registering changes nothing,
 * and says that all is well.
 */
export abstract class ReadOnlyDriver implements RegistryDriver {
  readonly name: string;
  readonly renewEveryMs = 60_000;
  abstract readonly propagationMs: number;
  abstract readonly maxWaitMs: number;
  protected readonly clock: Clock;
  protected readonly verbs: VerbScope;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.clock = clock;
    this.verbs = new VerbScope(name, clock);
  }

  register(_instance: Instance, signal: AbortSignal): Promise<void> {
    return this.verbs.run({ signal, withinMs: NOTHING_MS }, () => Promise.resolve());
  }

  renew(_instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.verbs.run({ signal, withinMs: NOTHING_MS }, () => Promise.resolve(true));
  }

  deregister(_instance: Instance, signal: AbortSignal): Promise<void> {
    return this.verbs.run({ signal, withinMs: NOTHING_MS }, () => Promise.resolve());
  }

  abstract read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer>;

  close(): Promise<void> {
    this.verbs.close();
    return Promise.resolve();
  }
}
