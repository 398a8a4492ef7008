import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

/** What a service tells its parent when it serves. */
export interface Ready {
  readonly type: 'ready';
  readonly name: string;
  readonly id: string;
  readonly http?: string;
  readonly grpc?: string;
  readonly admin: string;
}

export interface AppProcessOptions {
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default this process's */
  readonly cwd?: string;
  /** How long until it must be ready, in milliseconds. @default 20_000 */
  readonly readyWithinMs?: number;
}

/** A built service as a process of its own, for what only real processes show: crashes, signals, rolling restarts. */
export class AppProcess implements AsyncDisposable {
  /** How long it took from the start of the process to ready, in milliseconds. */
  readonly readyAfterMs: number;

  private constructor(
    readonly ready: Ready,
    private readonly child: ChildProcess,
    private readonly output: () => string,
    startedAt: number,
  ) {
    this.readyAfterMs = performance.now() - startedAt;
  }

  /** Runs `main` with Node and waits until it says that it is ready. @throws with what it printed, when it ends or takes too long */
  static async start(main: string, options: AppProcessOptions = {}): Promise<AppProcess> {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [main], {
      cwd: options.cwd,
      env: { ...process.env, LOG_LEVEL: 'warn', PORT: '0', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ready = await new Promise<Ready>((resolve, reject) => {
      const fail = (why: string) => {
        child.kill('SIGKILL');
        reject(new Error(`${main} ${why}\n${output}`));
      };
      const timer = setTimeout(fail, options.readyWithinMs ?? 20_000, 'was not ready in time');
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(`ended with ${code ?? signal} before it was ready`);
      });
      child.on('message', (message: Ready) => {
        if (message.type !== 'ready') return;
        clearTimeout(timer);
        child.removeAllListeners('exit');
        resolve(message);
      });
    });
    return new AppProcess(ready, child, () => output, startedAt);
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Everything it has printed so far. */
  get printed(): string {
    return this.output();
  }

  /** Sends `signal` and waits for the end; gives back the exit code, or null where a signal ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.running) {
      const exited = once(this.child, 'exit');
      this.child.kill(signal);
      await exited;
    }
    return this.child.exitCode;
  }

  /** Stops or continues it without its knowledge, as an overloaded or frozen machine does. */
  freeze(frozen: boolean): void {
    this.child.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Resident memory, in MiB. */
  async residentMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) this.child.kill('SIGCONT');
    await this.end('SIGKILL');
  }
}
