import type { Answer, Instance, RegistryDriver } from '../driver.js';

/**
 * A registry that says what a spec tells it to say, and fails when told to. Its cursors are change counts, which go
 * backwards, begin anew and are forgotten when told to: whoever gets one may keep it and give it back, and nothing else.
 */
export class ScriptedRegistry implements RegistryDriver {
  readonly name = 'scripted registry';
  readonly renewEveryMs = 3_000;
  readonly propagationMs = 100;
  readonly maxWaitMs = 60_000;
  /** When every call was made, on `now()`. */
  readonly calls: number[] = [];
  #instances: readonly Instance[] = [];
  #index = 0;
  /** Which state each cursor that was given out stands for. */
  readonly #given = new Map<string, number>();
  #state = 0;
  #failure: Error | undefined;
  readonly #waiting = new Set<(cut?: Error) => void>();

  constructor(private readonly now: () => number) {}

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** Makes `instances` the truth. */
  say(instances: readonly Instance[]): void {
    this.#instances = instances;
    this.#index++;
    this.#state++;
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

  /** Breaks the connections of those that wait; the next call is answered. */
  cut(): void {
    this.#wake(new Error('connection reset'));
  }

  /** Its index goes back, as after a restore from a backup: later cursors look like earlier ones. Those that wait are answered. */
  regress(by: number): void {
    this.#index = Math.max(0, this.#index - by);
    this.#wake();
  }

  /** It restarts: connections break, and the index counts from the beginning. */
  reset(): void {
    this.#index = 0;
    this.cut();
  }

  /** Forgets every cursor, as compaction does: there is nothing to wait from, so the present answer is given. */
  compact(): void {
    this.#given.clear();
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
    if (after !== undefined && this.#given.get(after) === this.#state) await this.#change(signal);
    if (this.#failure) throw this.#failure;
    this.#given.set(String(this.#index), this.#state);
    return { instances: this.#instances, cursor: String(this.#index) };
  }

  async close(): Promise<void> {}

  #answer(): void {
    this.calls.push(this.now());
    if (this.#failure) throw this.#failure;
  }

  #wake(cut?: Error): void {
    for (const wake of [...this.#waiting]) wake(cut);
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', abort);
        settle();
      };
      const wake = (cut?: Error) => end(() => (cut ? reject(cut) : resolve()));
      const abort = () => end(() => reject(signal.reason));
      this.#waiting.add(wake);
      signal.addEventListener('abort', abort);
    });
  }
}
