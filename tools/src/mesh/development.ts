import { Cell, until, type Clock } from '@holdfast/core';
import { BuildOutput } from './build-output.js';
import { Compiler } from './compiler.js';
import { RollingRestart } from './rolling-restart.js';
import type { Screen } from './screen.js';
import type { Supervisor } from './supervisor.js';

export interface DevelopmentOptions {
  /** The repository's folder. */
  readonly root: string;
  /** Folders below `apps/` whose processes the supervisor runs. */
  readonly apps: readonly string[];
  readonly supervisor: Supervisor;
  readonly screen: Screen;
  readonly clock: Clock;
}

/** Keeps a mesh at what the sources say: builds every change, and restarts what it reaches. */
export class Development {
  readonly #options: DevelopmentOptions;
  readonly #compiler: Compiler;
  readonly #everBuilt = new Cell(false);
  #restarts: RollingRestart | undefined;
  #stopping = false;

  constructor(options: DevelopmentOptions) {
    const { root, supervisor, screen } = options;
    this.#options = options;
    screen.say('Building …');
    this.#compiler = new Compiler(root, {
      building: () => this.#restarts?.building(),
      built: () => {
        if (this.#restarts) return this.#restarts.built();
        this.#restarts = this.#follow();
        this.#everBuilt.set(true);
      },
      broken: (lines) => {
        for (const line of lines) screen.problem(line);
        screen.say(
          this.#everBuilt.value
            ? 'This does not compile; what runs stays as it was.'
            : 'Nothing starts before this compiles; waiting for the next change.',
        );
      },
      ended: () => {
        if (!this.#stopping) supervisor.fail('The compiler has ended.');
      },
    });
  }

  /** Resolves when everything has been built for the first time. */
  get firstBuild(): Promise<unknown> {
    return until(this.#everBuilt, (built) => built);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#restarts?.stop();
    await this.#compiler.stop();
  }

  /** Restarts what later builds change. */
  #follow(): RollingRestart {
    const { root, apps, clock, screen, supervisor } = this.#options;
    const output = new BuildOutput(root, apps);
    return new RollingRestart({
      clock,
      changedApps: () => output.changedApps(),
      roll: async (changed) => {
        screen.say(`Changed: restarting ${[...changed].join(' and ')}, one process after another.`);
        await supervisor.roll(changed);
      },
    });
  }
}
