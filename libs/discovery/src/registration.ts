import { abortAfter, Cell, sleep, type Clock, type Live, type Random } from '@holdfast/core';
import type { Contact } from './contact.js';
import type { Instance, RegistryDriver } from './driver.js';

/** How long leaving may take before the registry is left to notice by itself, in milliseconds. */
const RELEASE_TIMEOUT_MS = 2_000;
/** After the registry has forgotten everybody, instances come back spread over this long, in milliseconds. */
const REJOIN_SPREAD_MS = 1_000;

export interface RegistrationDeps {
  readonly driver: RegistryDriver;
  readonly contact: Contact;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (message: string) => void;
}

/**
 * Keeps one instance in the registry until released: registers, renews, and registers again when the registry has
 * forgotten it (restarted, wiped, lease expired during a pause of the process).
 */
export class Registration {
  readonly instance: Instance;
  readonly #deps: RegistrationDeps;
  readonly #stop = new AbortController();
  readonly #registered = new Cell(false);
  readonly #running: Promise<void>;

  constructor(instance: Instance, deps: RegistrationDeps) {
    this.instance = instance;
    this.#deps = deps;
    this.#running = this.#keep(this.#stop.signal);
  }

  /** Whether the registry has the instance, as far as this process knows. */
  get registered(): Live<boolean> {
    return this.#registered;
  }

  /**
   * Takes the instance out and stops renewing. Never throws: where the registry cannot be told within 2 s, the
   * registration expires there by itself.
   */
  async release(): Promise<void> {
    if (this.#stop.signal.aborted) return this.#running;
    this.#stop.abort(new Error('released'));
    await this.#running;
    const { driver, clock, log } = this.#deps;
    using timeout = abortAfter(clock, RELEASE_TIMEOUT_MS, 'no answer in time');
    try {
      await driver.deregister(this.instance, timeout.signal);
    } catch (error) {
      log(
        `${this.instance.id} could not be deregistered from ${driver.name} and will expire there: ${messageOf(error)}`,
      );
    } finally {
      this.#registered.set(false);
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { driver, contact, clock, random, log } = this.#deps;
    while (!signal.aborted) {
      try {
        if (!this.#registered.value) {
          await contact.call(() => driver.register(this.instance, signal), signal);
          this.#registered.set(true);
        }
        await sleep(clock, driver.renewEveryMs * (0.9 + 0.2 * random()), signal);
        if (await contact.call(() => driver.renew(this.instance, signal), signal)) continue;
        log(`${driver.name} has forgotten ${this.instance.id}; registering it again`);
        this.#registered.set(false);
        await sleep(clock, REJOIN_SPREAD_MS * random(), signal);
      } catch {
        // Nothing to do here: an abort ends the loop, and what failed is tried again when Contact lets it through.
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
