import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface CompilerListener {
  /** A source changed: what is on disk now may be half of it. */
  building(): void;
  /** Everything compiles, and is on disk. */
  built(): void;
  /** Something does not compile; `lines` are the compiler's own words. */
  broken(lines: readonly string[]): void;
  /** The compiler is gone. */
  ended(): void;
}

const watchScript = fileURLToPath(new URL('./tsc-watch.js', import.meta.url));

/** `tsc -b --watch` over the whole repository, in a process of its own. */
export class Compiler {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #lines: string[] = [];

  constructor(root: string, listener: CompilerListener, script: string = watchScript) {
    this.#child = spawn(process.execPath, [script, '-b', '--watch', '--preserveWatchOutput', '--pretty', 'false'], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    if (this.#child.stdout) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#read(line, listener));
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        resolve();
        listener.ended();
      });
    });
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }

  /** The compiler has no other face than its words: these are all that it says between builds. */
  #read(line: string, listener: CompilerListener): void {
    const said = line.replace(/^\d{1,2}:\d{2}:\d{2}( [AP]M)? - /, '');
    const found = said.match(/^Found (\d+) errors?\. Watching for file changes\.$/);
    if (found) {
      if (found[1] === '0') listener.built();
      else listener.broken(this.#lines);
      this.#lines = [];
    } else if (said.startsWith('File change detected.') || said.startsWith('Starting compilation')) {
      this.#lines = [];
      listener.building();
    } else if (said !== '') {
      this.#lines.push(said);
    }
  }
}
