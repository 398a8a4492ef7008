import type { Clock, Random } from '@holdfast/core';
import { readable } from '@holdfast/telemetry/log-line';
import { StartFailed, type Child, type ChildBounds, type ChildListener } from './child.js';
import type { Ready } from './app-process.js';
import { residentMemory } from './memory.js';
import { Mesh, type Tier } from './mesh.js';
import type { Screen } from './screen.js';

/** Package managers hand a Ctrl-C on that the terminal has sent already: what comes this soon is the same one. */
const SAME_INTERRUPT_MS = 500;

export interface SupervisorOptions {
  readonly tiers: readonly Tier[];
  readonly screen: Screen;
  readonly clock: Clock;
  readonly random: Random;
  readonly bounds: ChildBounds;
  /** What to show once everything serves. */
  readonly introduction: (children: readonly Child[]) => readonly string[];
  /** A process that is given up does not end the mesh: the next change of a source may mend it. */
  readonly patient: boolean;
}

/** Runs a mesh for as long as the operator wants it, tells them what happens, and leaves nothing behind. */
export class Supervisor implements ChildListener {
  readonly #options: SupervisorOptions;
  readonly #mesh: Mesh;
  readonly #over: Promise<number>;
  #finish: (exitCode: number) => void = () => {};
  #interruptedAt: number | undefined;
  #stopping = false;
  #killed = false;

  constructor(options: SupervisorOptions) {
    const { tiers, clock, random, bounds, screen } = options;
    this.#options = options;
    this.#mesh = new Mesh(tiers, { clock, random, bounds, listener: this });
    this.#over = new Promise((resolve) => (this.#finish = resolve));
    screen.reserve(this.#mesh.children.map((child) => child.label));
  }

  /**
   * Starts the mesh when `after` is done, and runs it until {@link interrupt} or {@link fail}.
   * @returns the exit code: 0 when it was asked to end, 1 when it could not start or go on, 130 when it was cut short
   */
  async run(after: Promise<unknown> = Promise.resolve()): Promise<number> {
    void after.then(() => this.#start());
    const exitCode = await this.#over;
    this.#stopping = true;
    await this.#mesh.stop();
    return this.#killed ? 130 : exitCode;
  }

  /** Drains everything and ends; asked again, ends at once. */
  interrupt(): void {
    const now = this.#options.clock.now();
    if (this.#interruptedAt === undefined) {
      this.#interruptedAt = now;
      this.#options.screen.say('\nDraining: the gateway first, then what it calls. Once more to stop at once.');
      this.#finish(0);
    } else if (now - this.#interruptedAt >= SAME_INTERRUPT_MS) {
      this.kill();
    }
  }

  /** Ends everything at once, whatever it is doing. */
  kill(): void {
    this.#killed = true;
    this.#finish(130);
    this.#mesh.kill();
  }

  /** Ends the mesh because of `reason`, one sentence. */
  fail(reason: string): void {
    if (this.#stopping) return;
    this.#options.screen.problem(reason);
    this.#finish(1);
  }

  /** Restarts the processes of `apps`, one after another. Where one does not start, the rest stays as it is. */
  async roll(apps: ReadonlySet<string>): Promise<void> {
    try {
      await this.#mesh.roll(apps);
    } catch (error) {
      if (this.#stopping) return;
      this.#explain(error);
      this.#options.screen.say('The rest runs on as it was; waiting for the next change.');
    }
  }

  ready({ label, pid }: Child, { id, http, grpc }: Ready, tookMs: number): void {
    const bytes = pid === undefined ? undefined : residentMemory(pid);
    const memory = bytes === undefined ? '' : `${Math.round(bytes / 2 ** 20)} MB`;
    const took = `${Math.round(tookMs)} ms`;
    const address = http ?? grpc ?? '';
    const facts = [`ready in ${took.padStart(7)}`, memory.padStart(6), address.padEnd(21), id];
    this.#options.screen.good(label, facts.join('  '));
  }

  line({ label }: Child, line: string): void {
    this.#show(label, line);
  }

  note({ label }: Child, text: string): void {
    this.#options.screen.note(label, text);
  }

  givenUp({ label }: Child): void {
    if (this.#options.patient) this.#options.screen.say(`${label} waits for the next change.`);
    else this.fail(`The mesh stops, because ${label} does not stay up.`);
  }

  async #start(): Promise<void> {
    if (this.#stopping) return;
    try {
      await this.#mesh.start();
    } catch (error) {
      if (this.#stopping) return;
      this.#explain(error);
      return this.fail('The mesh does not start without it.');
    }
    for (const line of this.#options.introduction(this.#mesh.children)) this.#options.screen.say(line);
  }

  #explain(error: unknown): void {
    if (!(error instanceof StartFailed)) throw error;
    for (const line of error.ended.lastWords) this.#show(error.label, line);
    this.#options.screen.note(error.label, error.ended.how);
  }

  #show(label: string, line: string): void {
    for (const part of readable(line)) this.#options.screen.line(label, part);
  }
}
