import {
  Cell,
  RetryBudget,
  StartupError,
  systemClock,
  TimerWheel,
  type Clock,
  type Journal,
  type Live,
  type Random,
} from '@holdfast/core';
import type { CallSummary } from './call-window.js';
import { Pipeline, type PipelineState } from './pipeline.js';
import type { ObservePolicies } from './policy-observer.js';
import { readOptions, type Hooks, type ResilienceOptions, type ResilienceSpec } from './spec.js';

export interface ResilienceConfig {
  /** @default the system's */
  readonly clock?: Clock;
  /** For jitter. @default Math.random */
  readonly random?: Random;
  /** The live numbers of a name, from what its options say. @default these, for good */
  readonly specOf?: (name: string, defaults: ResilienceSpec) => Live<ResilienceSpec>;
  /** Watches the calls. @default nobody does */
  readonly observe?: ObservePolicies;
  /** Where breakers note their changes of state. @default nowhere */
  readonly journal?: Journal;
}

/** What `run` takes: there is no class, so the fallback is a function or a value. */
export type RunOptions<T> = ResilienceOptions<
  (() => T | PromiseLike<T>) | ((error: unknown) => T | PromiseLike<T>) | { readonly value: T }
>;

/** A name and its options, as written on a method. */
export interface Definition {
  /** Number of the definition in this process, to find its pipeline by. */
  readonly index: number;
  readonly name: string;
  /** What it was written on, for errors. */
  readonly subject: string;
  readonly options: ResilienceOptions;
}

interface Named {
  readonly pipeline: Pipeline;
  readonly subject: string;
  readonly spec: ResilienceSpec;
  readonly hooks: Hooks;
  /** Options that were found to say the same. */
  readonly seen: WeakSet<ResilienceOptions>;
}

/** The policies of a process, by name: what `@Resilient` methods go through, and `run` for what is no method. */
export class Resilience {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #specOf: NonNullable<ResilienceConfig['specOf']>;
  readonly #observe: ObservePolicies | undefined;
  readonly #wheel: TimerWheel;
  readonly #journal: Journal | undefined;
  readonly #named = new Map<string, Named>();
  readonly #budgets = new Map<string, RetryBudget>();
  readonly #byIndex: (Pipeline | undefined)[] = [];

  constructor({ clock = systemClock, random = Math.random, specOf, observe, journal }: ResilienceConfig = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#specOf = specOf ?? ((_name, defaults) => new Cell(defaults));
    this.#observe = observe;
    this.#wheel = new TimerWheel(clock);
    this.#journal = journal;
  }

  /**
   * Does `fn` under the policies of `name`. The options are given the first time, or each time the same: as a constant,
   * since they are compared.
   * @throws what `fn` does; CircuitOpen, BulkheadFull, RateLimited, DeadlineExceeded, Cancelled, RetriesExhausted
   * @throws StartupError where the options are wrong, or not those that the name has already
   */
  run<T>(name: string, fn: () => T | PromiseLike<T>, options?: RunOptions<T>): Promise<T> {
    try {
      return this.#pipelineNamed(name, options).call(fn, undefined, []) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What operators want to know of each name. */
  states(): Readonly<Record<string, PipelineState>> {
    return Object.fromEntries([...this.#named].map(([name, { pipeline }]) => [name, pipeline.state()]));
  }

  /** How the calls of each name went in the last minute. */
  summaries(): Readonly<Record<string, CallSummary>> {
    return Object.fromEntries([...this.#named].map(([name, { pipeline }]) => [name, pipeline.summary()]));
  }

  /**
   * An operator's word in the place of a name's breaker: `open` refuses every call, `closed` lets every call through, `auto`
   * takes it back. @returns whether there is such a name
   */
  force(name: string, state: 'open' | 'closed' | 'auto'): boolean {
    const pipeline = this.#named.get(name)?.pipeline;
    pipeline?.force(state === 'auto' ? undefined : state);
    return pipeline !== undefined;
  }

  /** The pipeline of a method. @throws StartupError as `run` does */
  pipelineOf(definition: Definition): Pipeline {
    return (this.#byIndex[definition.index] ??= this.#pipeline(
      definition.name,
      definition.options,
      definition.subject,
    ));
  }

  /** Stops the timer and lets go of what listens; calls that still wait are left alone. */
  close(): void {
    this.#wheel.close();
    for (const { pipeline } of this.#named.values()) pipeline.close();
  }

  #pipelineNamed(name: string, options: ResilienceOptions | undefined): Pipeline {
    const subject = `Resilience.run('${name}')`;
    if (typeof options?.fallback === 'string') {
      throw new StartupError(
        `${subject}: fallback cannot be the name of a method here; write a function or { value: … }.`,
      );
    }
    if (options !== undefined) return this.#pipeline(name, options, subject);
    const named = this.#named.get(name);
    if (!named) throw new StartupError(`${subject}: nothing has that name yet; write its options as third argument.`);
    return named.pipeline;
  }

  #pipeline(name: string, options: ResilienceOptions, subject: string): Pipeline {
    const known = this.#named.get(name);
    if (known?.seen.has(options)) return known.pipeline;
    const { spec, hooks } = readOptions(subject, options);
    if (known) {
      const option = firstDifference({ ...spec, ...hooks }, { ...known.spec, ...known.hooks });
      if (option === undefined) {
        known.seen.add(options);
        return known.pipeline;
      }
      throw new StartupError(
        `${subject}: ${option} is not what ${known.subject} says; write the same options on both, or another name.`,
      );
    }
    const pipeline = new Pipeline(name, this.#specOf(name, spec), hooks, {
      clock: this.#clock,
      random: this.#random,
      wheel: this.#wheel,
      budget: this.#budgetOf(spec.target ?? name),
      observer: this.#observe?.(name),
      journal: this.#journal,
    });
    this.#named.set(name, { pipeline, subject, spec, hooks, seen: new WeakSet([options]) });
    return pipeline;
  }

  #budgetOf(target: string): RetryBudget {
    let budget = this.#budgets.get(target);
    if (!budget) this.#budgets.set(target, (budget = new RetryBudget(this.#clock)));
    return budget;
  }
}

/** The first option in which two sets of them differ; functions are the same only if they are one. */
function firstDifference(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): string | undefined {
  return Object.keys({ ...a, ...b }).find((option) => !same(a[option], b[option]));
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
