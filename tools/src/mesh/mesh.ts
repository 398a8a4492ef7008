import { Child, type ChildOptions } from './child.js';
import type { AppCommand } from './app-process.js';

/** The processes of one app. */
export interface Tier {
  /** The app's folder below `apps/`. */
  readonly app: string;
  readonly commands: readonly AppCommand[];
}

/**
 * A set of apps that call each other, as one thing that starts and ends without a failed call.
 *
 * Tiers are listed from the edge inwards. They stop in that order: the edge first takes no more requests and finishes
 * those it has, for which it needs the tiers behind it; when it is gone, nobody is left who could call the next one.
 */
export class Mesh {
  readonly #tiers: readonly { readonly app: string; readonly children: readonly Child[] }[];
  #starting: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(tiers: readonly Tier[], options: ChildOptions) {
    this.#tiers = tiers.map(({ app, commands }) => ({
      app,
      children: commands.map((command) => new Child(command, options)),
    }));
  }

  get children(): readonly Child[] {
    return this.#tiers.flatMap((tier) => tier.children);
  }

  /**
   * Starts everything at once and waits until all are ready.
   * @throws {StartFailed} of the first child that did not start, as soon as that is known; then {@link stop} the rest
   */
  async start(): Promise<void> {
    const starts = this.children.map((child) => child.start());
    this.#starting = Promise.allSettled(starts);
    await Promise.all(starts);
  }

  /**
   * Restarts the processes of `apps`, one after another, from the innermost tier to the edge, so that a new edge finds
   * what it needs. Stops at the first that does not start: the others keep running what they run.
   * @throws {StartFailed} of that child
   */
  async roll(apps: ReadonlySet<string>): Promise<void> {
    for (const { app, children } of this.#tiers.toReversed()) {
      if (!apps.has(app)) continue;
      for (const child of children) {
        await child.stop();
        if (this.#stopped) return;
        await child.start();
      }
    }
  }

  /** Drains tier after tier. When it resolves, no process is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { children } of this.#tiers) await Promise.all(children.map((child) => child.stop()));
    await this.#starting;
  }

  /** Ends all processes at once, whatever they are doing. */
  kill(): void {
    this.#stopped = true;
    for (const child of this.children) child.kill();
  }
}
