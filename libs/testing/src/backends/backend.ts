import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.js';

/** A real registry process that a test started and may harm. */
export interface Backend extends AsyncDisposable {
  /** For `REGISTRY_URL`, such as `consul://127.0.0.1:8500`. */
  readonly url: string;
  /** `host:port` of its client API. */
  readonly address: string;
  /** The process's id; undefined while it does not run. */
  readonly pid: number | undefined;
  /** Sends the signal. One that ends the process is waited for; SIGSTOP and SIGCONT are not. @default 'SIGKILL' */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the process if it runs and starts it again, on the same ports and with what it has on disk. */
  restart(): Promise<void>;
  /** Ends the process and removes its files. */
  stop(): Promise<void>;
}

/** Three servers that elect a leader. */
export interface BackendCluster extends AsyncDisposable {
  /** For `REGISTRY_URL`, with every member. */
  readonly url: string;
  readonly members: readonly Backend[];
  /** The member that leads now; waits for one while there is none. */
  leader(): Promise<Backend>;
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly url: string;
  readonly address: string;
  readonly binary: string;
  /** The command line, given the folder that is the process's own. */
  readonly args: (folder: string) => readonly string[];
  /** Whether it serves now. May throw, which counts as no. */
  readonly ready: () => Promise<boolean>;
}

/** How long a backend may take to serve, in milliseconds: real ones take well below 5 s, on a busy machine too. */
const START_WITHIN_MS = 30_000;

/** One process with a folder and fixed ports. Its output goes to a file: an unread pipe would stop it one day. */
export class Daemon implements Backend {
  readonly url: string;
  readonly address: string;
  readonly #options: DaemonOptions;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #guard: ChildProcess | undefined;

  private constructor(options: DaemonOptions, folder: string) {
    this.url = options.url;
    this.address = options.address;
    this.#options = options;
    this.#folder = folder;
  }

  /** Makes the folder and starts the process, without waiting until it serves: members of a cluster wait for each other. */
  static async launch(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options, await mkdtemp(join(tmpdir(), 'holdfast-backend-')));
    daemon.#spawn();
    return daemon;
  }

  /** Starts the process and waits until it serves. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = await Daemon.launch(options);
    await daemon.serving();
    return daemon;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Waits until the process serves. @throws Error with the end of its output when it ends before, or takes too long */
  async serving(): Promise<void> {
    const serves = async () => !this.#child || (await this.#options.ready());
    try {
      await eventually(serves, { withinMs: START_WITHIN_MS, everyMs: 25 });
      if (!this.#child) throw new Error('it ended by itself');
    } catch (cause) {
      const output = this.#output();
      await this.stop();
      throw new Error(`${this.#options.binary} did not start to serve at ${this.address}:\n${output}`, { cause });
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#spawn();
    await this.serving();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #spawn(): void {
    const output = openSync(join(this.#folder, 'output.log'), 'a');
    const child = spawn(this.#options.binary, this.#options.args(this.#folder), { stdio: ['ignore', output, output] });
    closeSync(output);
    this.#child = child;
    const guard = guardAgainstOrphans(child.pid ?? 0, this.#folder);
    this.#guard = guard;
    child.once('error', () => child.emit('exit'));
    child.once('exit', () => {
      guard.kill('SIGKILL');
      if (this.#guard === guard) this.#guard = undefined;
      if (this.#child === child) this.#child = undefined;
    });
    // A test that forgets to stop it does not hang for that; the guard then ends it.
    child.unref();
  }

  #output(): string {
    return readFileSync(join(this.#folder, 'output.log'), 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  }
}

/**
 * A shell that waits until its input ends, which it does when this process ends, in whichever way, and then ends the
 * backend and removes its files. An 'exit' listener would not run under SIGKILL.
 */
function guardAgainstOrphans(pid: number, folder: string): ChildProcess {
  const script = 'read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2"';
  // Detached, so that Ctrl-C in a terminal does not end the guard before it has done its work.
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  if (guard.stdin && 'unref' in guard.stdin && typeof guard.stdin.unref === 'function') guard.stdin.unref();
  return guard;
}

const given = new Set<string>();

/**
 * A port on which nothing listens on `host`, over TCP and UDP. It lies below the range from which the system takes ports
 * for outgoing connections, so that it is still free when its process is started again.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (given.has(`${host}:${port}`) || !(await bindable(host, port))) continue;
    given.add(`${host}:${port}`);
    return port;
  }
}

async function bindable(host: string, port: number): Promise<boolean> {
  const tcp = createServer();
  const udp = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => void tcp.once('error', reject).listen(port, host, resolve));
    await new Promise<void>((resolve, reject) => void udp.once('error', reject).bind(port, host, resolve));
    return true;
  } catch {
    return false;
  } finally {
    tcp.close();
    udp.close();
  }
}
