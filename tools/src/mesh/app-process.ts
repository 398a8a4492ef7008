import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Clock } from '@holdfast/core';

/**
 * A mesh on a developer's machine is many processes with little to do, so V8 is to collect sooner rather than to grow:
 * a quarter less memory for each. A deployment, with one process and its load, chooses for itself.
 */
const frugal = ['--optimize-for-size'];

/** What an app says over its IPC channel once it serves and is registered. */
export interface Ready {
  readonly type: 'ready';
  readonly name: string;
  readonly id: string;
  readonly http?: string;
  readonly grpc?: string;
  readonly admin: string;
}

/** How to start an app. */
export interface AppCommand {
  /** What to call this process on the screen. */
  readonly label: string;
  /** The JavaScript file that Node runs. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
}

/** How a process ended. */
export interface Ended {
  /** The rest of a sentence that starts with its label: "ended with exit code 1". */
  readonly how: string;
  /** What it wrote on stderr before it was ready: after a refusal to start, the reason. */
  readonly lastWords: readonly string[];
}

export interface AppProcessOptions {
  readonly clock: Clock;
  /** How long it may take to become ready before it is killed, in milliseconds. */
  readonly startMs: number;
  /** Told every line it writes; what it wrote on stderr before it was ready is held back until it is. */
  readonly onLine: (line: string) => void;
}

/**
 * One run of an app, from its start to its end.
 *
 * It gets a process group of its own: a Ctrl-C on the terminal reaches the supervisor alone, which then ends the
 * processes in the right order. It still cannot outlive the supervisor, because apps end when their IPC channel does.
 */
export class AppProcess {
  readonly startedAt: number;
  /** What it said when it became ready, or how it ended before that. */
  readonly started: Promise<Ready | Ended>;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #lastWords: string[] = [];
  #tooSlow = false;

  constructor(command: AppCommand, { clock, startMs, onLine }: AppProcessOptions) {
    this.#clock = clock;
    this.startedAt = clock.now();
    this.#child = spawn(process.execPath, [...frugal, command.script], {
      env: command.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.ended = this.#watchEnd(startMs);
    let holding = true;
    const ready = new Promise<Ready>((resolve) => {
      this.#child.on('message', (message) => {
        if (!isReady(message)) return;
        holding = false;
        for (const line of this.#lastWords.splice(0)) onLine(line);
        resolve(message);
      });
    });
    eachLine(this.#child.stdout, onLine);
    eachLine(this.#child.stderr, (line) => (holding ? this.#lastWords.push(line) : onLine(line)));
    this.started = Promise.race([ready, this.ended]);

    const limit = clock.after(startMs, () => {
      this.#tooSlow = true;
      this.kill();
    });
    void this.started.then(() => limit.cancel());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks it to drain and end; kills it when it has not after `withinMs`. */
  async stop(withinMs: number): Promise<'drained' | 'killed'> {
    let outcome: 'drained' | 'killed' = 'drained';
    const limit = this.#clock.after(withinMs, () => {
      outcome = 'killed';
      this.kill();
    });
    this.#child.kill('SIGTERM');
    await this.ended;
    limit.cancel();
    return outcome;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #watchEnd(startMs: number): Promise<Ended> {
    return new Promise((resolve) => {
      const end = (how: string) => resolve({ how, lastWords: this.#lastWords });
      this.#child.on('error', (error) => end(`could not be started (${error.message})`));
      // `close` comes after `exit`, when all that it wrote has been read.
      this.#child.once('close', (code, signal) => {
        if (this.#tooSlow) end(`was not ready within ${startMs} ms and was killed`);
        else end(signal ? `was killed by ${signal}` : `ended with exit code ${code}`);
      });
    });
  }
}

function eachLine(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream) createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine);
}

function isReady(message: unknown): message is Ready {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}
