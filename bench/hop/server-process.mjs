import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const READY_MS = 30_000;
const STOP_MS = 5_000;
/** Linux reports CPU time in these, whatever the kernel's own tick is (USER_HZ). */
const TICK_MICROS = 10_000;
const PAGE_BYTES = 4096;

const running = new Set();
// The last resort where the bench itself fails: nothing that it started stays behind.
process.once('exit', () => {
  for (const server of running) server.kill();
});

/** One server under test: started, asked for its CPU time and memory, stopped by its pid. */
export class ServerProcess {
  #child;
  /** Who does the work: the script itself, or the program that it has started. */
  #pid;
  #exited;
  #said = '';

  /** Starts `script` with `node` and waits until it says that it serves. */
  static async start({ node, script, cwd, env }) {
    const server = new ServerProcess();
    const child = spawn(node, [script], {
      cwd,
      env: { PATH: process.env.PATH, NODE_ENV: 'production', LOG_LEVEL: 'error', ...env },
      // Lines that are written for each request go nowhere: to read them would cost the bench what it measures.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    server.#child = child;
    server.#exited = new Promise((resolve) => child.once('exit', resolve));
    running.add(server);
    void server.#exited.then(() => running.delete(server));
    child.stderr.on('data', (chunk) => (server.#said = (server.#said + chunk).slice(-2000)));
    let timer;
    try {
      await Promise.race([
        new Promise((resolve) =>
          child.on('message', (message) => {
            if (message?.type !== 'ready') return;
            server.#pid = message.pid ?? child.pid;
            resolve();
          }),
        ),
        new Promise((_, reject) => child.once('error', reject)),
        server.#exited.then(() => server.#refuse(`${script} ended before it served`)),
        new Promise((resolve) => (timer = setTimeout(resolve, READY_MS))).then(() =>
          server.#refuse(`${script} did not serve within ${READY_MS} ms`),
        ),
      ]);
    } finally {
      clearTimeout(timer);
    }
    return server;
  }

  #refuse(what) {
    throw new Error(`${what}. ${this.#said}`.trim());
  }

  /** CPU time spent since its start, in microseconds. */
  cpu() {
    // The name in field 2 may hold spaces and brackets; the fields after its closing one do not. user and system: 14, 15.
    const stat = readFileSync(`/proc/${this.#pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { user: Number(fields[11]) * TICK_MICROS, system: Number(fields[12]) * TICK_MICROS };
  }

  /** Memory in RAM, in bytes. */
  memory() {
    return Number(readFileSync(`/proc/${this.#pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES;
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  /** Asks it to end, and makes it end when it has not within a few seconds. */
  async stop() {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}
