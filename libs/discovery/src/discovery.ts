import { Logger } from '@nestjs/common';
import { systemClock, type Clock, type Journal, type Live, type Random } from '@holdfast/core';
import { Contact, type ContactState } from './contact.js';
import type { Instance, RegistryDriver } from './driver.js';
import { tcpProbe, type Probe } from './probe.js';
import { Registration } from './registration.js';
import { ServiceView } from './service-view.js';
import type { Snapshots } from './snapshots.js';

export interface DiscoveryOptions {
  /** Where views survive a restart. @default none: a cold start without the registry finds nobody */
  readonly snapshots?: Snapshots;
  /** Asks an instance itself whether it serves, where the registry's word is not enough. @default a TCP connection */
  readonly probe?: Probe;
  /** How often each watched service is read anew in full, in milliseconds, ± 25 %; 1,000 or more. @default 30_000 */
  readonly refreshEveryMs?: number;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
  /** Where it notes that the registry is gone or back, and whom it holds against the registry's word. @default nowhere */
  readonly journal?: Journal;
}

/**
 * Who is there? One per process. It owns everything that does not depend on the kind of registry: watching with
 * periodic refresh, back-off with jitter shared by all calls, last-known-good in memory and on disk, distrust of
 * answers that drop a fleet at once, and keeping this process registered.
 */
export class Discovery {
  readonly #driver: RegistryDriver;
  readonly #contact: Contact;
  readonly #options: DiscoveryOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger = new Logger(Discovery.name);
  readonly #views = new Map<string, ServiceView>();
  readonly #registrations = new Set<Registration>();

  constructor(driver: RegistryDriver, options: DiscoveryOptions = {}) {
    this.#driver = driver;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#contact = new Contact(this.#clock, this.#random);
    let was: ContactState['status'] = 'unknown';
    this.#contact.state.subscribe(({ status, reason }) => {
      if (status === was) return;
      if (status === 'down') {
        this.#logger.warn(`${driver.name} cannot be reached; what is known stays in use: ${reason}`);
        options.journal?.note('unreachable', driver.name, 'cannot be reached; what is known stays in use', reason);
      } else if (was === 'down') {
        this.#logger.log(`${driver.name} answers again`);
        options.journal?.note('reachable', driver.name, 'answers again');
      }
      was = status;
    });
  }

  /** Whether the registry answers. Being down is no reason to stop serving: all that is known stays in use. */
  get contact(): Live<ContactState> {
    return this.#contact.state;
  }

  /** What the registry is called in a sentence. */
  get registryName(): string {
    return this.#driver.name;
  }

  /** How long it may take until every watcher has seen a change, in milliseconds: what a leaver waits before it stops serving. */
  get propagationMs(): number {
    return this.#driver.propagationMs;
  }

  /** The view of `service`, followed from now on; one and the same for every caller. */
  watch(service: string): ServiceView {
    let view = this.#views.get(service);
    if (!view) {
      view = new ServiceView(service, {
        ...this.#deps(),
        probe: this.#options.probe ?? tcpProbe,
        snapshots: this.#options.snapshots,
        refreshEveryMs: this.#options.refreshEveryMs ?? 30_000,
      });
      this.#views.set(service, view);
    }
    return view;
  }

  /** All views that somebody asked for. */
  get views(): readonly ServiceView[] {
    return [...this.#views.values()];
  }

  /**
   * Enters `instance` and keeps it entered. Call it once the instance serves. Returns at once: an unreachable registry
   * is tried until it answers.
   */
  register(instance: Instance): Registration {
    const registration = new Registration(instance, this.#deps());
    this.#registrations.add(registration);
    return registration;
  }

  /** Deregisters what is registered, ends all watches and closes the driver. */
  async close(): Promise<void> {
    await Promise.all([...this.#registrations].map((registration) => registration.release()));
    await Promise.all([...this.#views.values()].map((view) => view.close()));
    await this.#driver.close();
  }

  #deps() {
    return {
      driver: this.#driver,
      contact: this.#contact,
      clock: this.#clock,
      random: this.#random,
      journal: this.#options.journal,
      log: (message: string) => this.#logger.warn(message),
    };
  }
}
