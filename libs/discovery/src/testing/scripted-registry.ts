import type { Answer, Instance, RegistryDriver } from '../driver.js';

/** A registry that says what a spec tells it to say, and fails when told to. Cursors are change counts. */
export class ScriptedRegistry implements RegistryDriver {
  readonly name = 'scripted registry';
  readonly renewEveryMs = 3_000;
  readonly propagationMs = 100;
  readonly maxWaitMs = 60_000;
  /** When every call was made, on `now()`. */
  readonly calls: number[] = [];
  #instances: readonly Instance[] = [];
  #changes = 0;
  #failure: Error | undefined;
  #waiting = new Set<() => void>();

  constructor(private readonly now: () => number) {}

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** Makes `instances` the truth. */
  say(instances: readonly Instance[]): void {
    this.#instances = instances;
    this.#changes++;
    this.#wake();
  }

  /** From now on every call fails, those that wait included. */
  fail(message = 'connection refused'): void {
    this.#failure = new Error(message);
    this.#wake();
  }

  recover(): void {
    this.#failure = undefined;
  }

  async register(instance: Instance): Promise<void> {
    this.#answer();
    this.say([...this.#instances.filter(({ id }) => id !== instance.id), instance]);
  }

  async renew(instance: Instance): Promise<boolean> {
    this.#answer();
    return this.#instances.some(({ id }) => id === instance.id);
  }

  async deregister(instance: Instance): Promise<void> {
    this.#answer();
    this.say(this.#instances.filter(({ id }) => id !== instance.id));
  }

  async read(_service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    this.#answer();
    if (after === String(this.#changes)) await this.#change(signal);
    if (this.#failure) throw this.#failure;
    return { instances: this.#instances, cursor: String(this.#changes) };
  }

  async close(): Promise<void> {}

  #answer(): void {
    this.calls.push(this.now());
    if (this.#failure) throw this.#failure;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', abort);
        settle();
      };
      const wake = finish(resolve);
      const abort = finish(() => reject(signal.reason));
      this.#waiting.add(wake);
      signal.addEventListener('abort', abort);
    });
  }
}
