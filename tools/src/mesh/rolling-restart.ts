import type { Clock, Timer } from '@holdfast/core';

export interface RollingRestartOptions {
  readonly clock: Clock;
  /** How long the build must have been good before anything restarts, in milliseconds. @default 300 */
  readonly quietMs?: number;
  /** The apps that builds since the last call have changed. */
  readonly changedApps: () => ReadonlySet<string>;
  readonly roll: (apps: ReadonlySet<string>) => Promise<void>;
}

/** Turns builds into restarts: after the last of a row of builds, one restart at a time, and no change forgotten. */
export class RollingRestart {
  readonly #options: RollingRestartOptions;
  #quiet: Timer | undefined;
  #rolling = false;
  #due = false;

  constructor(options: RollingRestartOptions) {
    this.#options = options;
  }

  /** Sources changed again: what was built before is old. */
  building(): void {
    this.#quiet?.cancel();
    this.#due = false;
  }

  /** Everything is built. */
  built(): void {
    const { clock, quietMs = 300 } = this.#options;
    this.#quiet?.cancel();
    this.#quiet = clock.after(quietMs, () => {
      this.#due = true;
      void this.#roll();
    });
  }

  stop(): void {
    this.building();
  }

  async #roll(): Promise<void> {
    if (this.#rolling) return;
    this.#rolling = true;
    while (this.#due) {
      this.#due = false;
      const apps = this.#options.changedApps();
      if (apps.size > 0) await this.#options.roll(apps);
    }
    this.#rolling = false;
  }
}
