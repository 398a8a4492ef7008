import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '@holdfast/testing';
import { clone } from './clone.js';
import { shows, type Block } from './tutorial-blocks.js';

/** No step of a tutorial takes longer, in milliseconds. */
const PATIENCE_MS = 180_000;
const AS_SAID = 'as the page says';

/** Who goes through a tutorial at the keyboard, block by block: one terminal for what serves, one for the rest. */
export class Reader {
  readonly #folder: string;
  readonly #port: number;
  #printed = '';
  #serving: Running | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  /** @param folder an empty one */
  static async sitDown(folder: string): Promise<Reader> {
    return new Reader(folder, await freePort());
  }

  /** How it went: `as the page says`, or what was otherwise. */
  async follow({ does, text }: Block): Promise<string> {
    const said = text.replaceAll('localhost:3000', `127.0.0.1:${this.#port}`);
    switch (does) {
      case 'edit':
        return this.#run('git apply --whitespace=nowarn -', said);
      case 'shows':
        return shows(this.#printed, said) ? AS_SAID : `The page shows\n\n${said}\nand there was\n\n${this.#printed}`;
      case 'serve':
        return this.#serve(said);
      case 'run':
        if (!said.startsWith('git clone ')) return this.#run(said);
        // What is cloned is this working tree.
        clone(this.#folder);
        return AS_SAID;
    }
  }

  /** Ctrl-C, where something serves. @throws Error where it did not end well */
  async leave(): Promise<void> {
    const serving = this.#serving;
    this.#serving = undefined;
    if (serving) await serving.interrupt();
  }

  async #run(commands: string, input = ''): Promise<string> {
    const running = this.#start(commands);
    running.child.stdin!.end(input);
    const code = await running.ended(PATIENCE_MS);
    this.#printed = running.printed;
    return code === 0 ? AS_SAID : `"${commands.trim()}" ended with ${code}:\n\n${this.#printed}`;
  }

  async #serve(commands: string): Promise<string> {
    await this.leave();
    this.#serving = this.#start(commands);
    await this.#serving.says('Ctrl-C drains and stops.', PATIENCE_MS);
    this.#printed = this.#serving.printed;
    return AS_SAID;
  }

  #start(commands: string): Running {
    const env = { ...process.env, PORT: String(this.#port), NO_COLOR: '1', npm_config_update_notifier: 'false' };
    return new Running(
      spawn('bash', ['-euo', 'pipefail', '-c', commands], { cwd: this.#folder, env, detached: true, stdio: 'pipe' }),
    );
  }
}

/** What was started, with all that it starts itself. */
class Running {
  readonly child: ChildProcess;
  printed = '';

  constructor(child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.printed += text));
    }
  }

  /** The exit code. */
  async ended(patienceMs: number): Promise<number> {
    const timer = setTimeout(() => this.#signal('SIGKILL'), patienceMs);
    try {
      if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
      return this.child.exitCode ?? 137;
    } finally {
      clearTimeout(timer);
    }
  }

  async says(text: string, patienceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#signal('SIGKILL'), patienceMs);
    try {
      while (!this.printed.includes(text)) {
        const [code] = await Promise.race([once(this.child.stdout!, 'data'), once(this.child, 'close')]);
        if (this.child.exitCode !== null || this.child.signalCode !== null)
          throw new Error(`It ended (${code ?? this.child.signalCode}) before it said "${text}":\n\n${this.printed}`);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async interrupt(): Promise<void> {
    this.#signal('SIGINT');
    const code = await this.ended(30_000);
    if (code !== 0 && code !== 130) throw new Error(`It ended with ${code} after Ctrl-C:\n\n${this.printed}`);
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.child.pid!, signal);
    } catch {
      // It has ended.
    }
  }
}
