import { backoffDelay, type Clock, type Random, type Timer } from '@holdfast/core';
import { AppProcess, type AppCommand, type Ended, type Ready } from './app-process.js';

export interface ChildBounds {
  /** How long a process may take to become ready, in milliseconds. */
  readonly startMs: number;
  /** How long a process may take to drain and end, in milliseconds. */
  readonly stopMs: number;
  /** A process that served for this long starts with a clean slate when it ends, in milliseconds. */
  readonly stableMs: number;
  /** How often in a row it is started again before it is given up. */
  readonly restarts: number;
  /** The upper bounds of the pause before the first restart and before every restart, in milliseconds. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
}

export const defaultBounds: ChildBounds = {
  startMs: 60_000,
  stopMs: 20_000,
  stableMs: 10_000,
  restarts: 5,
  pauseMs: 500,
  maxPauseMs: 10_000,
};

/** What a child tells about its life. */
export interface ChildListener {
  ready(child: Child, ready: Ready, tookMs: number): void;
  line(child: Child, line: string): void;
  /** Something the operator should know: `text` is the rest of a sentence that starts with the child's label. */
  note(child: Child, text: string): void;
  /** It ended once too often and is not started again. */
  givenUp(child: Child): void;
}

export interface ChildOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly bounds: ChildBounds;
  readonly listener: ChildListener;
}

/** The process of a child ended before it was ready, at a start that somebody asked for. */
export class StartFailed extends Error {
  constructor(
    readonly label: string,
    readonly ended: Ended,
  ) {
    super(`${label} ${ended.how}.`);
    this.name = 'StartFailed';
  }
}

/**
 * One member of the mesh, kept alive. A start that is asked for either succeeds or says why not; a process that ends
 * later, unasked, is started again after a growing, jittered pause, until it has done so too often in a row.
 */
export class Child {
  readonly label: string;
  ready: Ready | undefined;
  readonly #command: AppCommand;
  readonly #options: ChildOptions;
  #process: AppProcess | undefined;
  #pause: Timer | undefined;
  #wanted = false;
  #restarts = 0;

  constructor(command: AppCommand, options: ChildOptions) {
    this.label = command.label;
    this.#command = command;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * Starts it and waits until it is ready.
   * @throws {StartFailed} when its process ends first; it is then not tried again
   */
  async start(): Promise<void> {
    this.#wanted = true;
    this.#restarts = 0;
    const ended = await this.#launch();
    if (!ended) return;
    this.#wanted = false;
    throw new StartFailed(this.label, ended);
  }

  /** Drains it and waits for its end; kills it when that takes too long. It stays ended. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#pause?.cancel();
    const { stopMs } = this.#options.bounds;
    const outcome = await this.#process?.stop(stopMs);
    if (outcome === 'killed') this.#options.listener.note(this, `did not end within ${stopMs} ms and was killed`);
  }

  /** Ends it at once. It stays ended. */
  kill(): void {
    this.#wanted = false;
    this.#pause?.cancel();
    this.#process?.kill();
  }

  /** Starts one process. Resolves when it is ready, or with its end when that came first. */
  async #launch(): Promise<Ended | undefined> {
    const { clock, bounds, listener } = this.#options;
    const onLine = (line: string) => listener.line(this, line);
    const process = new AppProcess(this.#command, { clock, startMs: bounds.startMs, onLine });
    this.#process = process;
    const first = await process.started;
    if ('how' in first) {
      this.#process = undefined;
      return first;
    }
    this.ready = first;
    listener.ready(this, first, clock.now() - process.startedAt);
    void this.#watchOver(process, clock.now());
    return undefined;
  }

  async #watchOver(process: AppProcess, readyAt: number): Promise<void> {
    const { clock, bounds } = this.#options;
    const ended = await process.ended;
    this.ready = undefined;
    this.#process = undefined;
    if (clock.now() - readyAt >= bounds.stableMs) this.#restarts = 0;
    if (this.#wanted) this.#startAgain(ended);
  }

  #startAgain({ how, lastWords }: Ended): void {
    const { clock, random, bounds, listener } = this.#options;
    for (const line of lastWords) listener.line(this, line);
    if (this.#restarts >= bounds.restarts) {
      this.#wanted = false;
      listener.note(this, `${how} and is given up after ${bounds.restarts} restarts in a row`);
      return listener.givenUp(this);
    }
    const pause = backoffDelay(this.#restarts, random, { initialMs: bounds.pauseMs, maxMs: bounds.maxPauseMs });
    this.#restarts++;
    listener.note(this, `${how}; starts again in ${Math.round(pause)} ms (${this.#restarts} of ${bounds.restarts})`);
    this.#pause = clock.after(pause, async () => {
      const ended = await this.#launch();
      if (ended && this.#wanted) this.#startAgain(ended);
    });
  }
}
