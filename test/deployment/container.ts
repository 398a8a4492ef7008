import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, requireBinary } from '@holdfast/testing';
import type { ImageFacts } from './image-facts.js';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** What `deploy/image.sh` puts into the image of an app, in a folder of its own that goes with `dispose`. */
export async function assemble(app: string): Promise<{ readonly folder: string; dispose(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  const folder = join(home, app);
  await run('sh', [join(root, 'deploy/image.sh'), app, folder], { maxBuffer: 16 * 1_024 * 1_024 });
  // The image's user must get there; what the image writes is beside it.
  await run('chmod', ['755', home]);
  await run('install', ['-d', '-m', '777', join(home, 'data')]);
  return { folder, dispose: () => rm(home, { recursive: true, force: true }) };
}

/**
 * The process of an image without an engine for containers: first in a process namespace of its own, with no other rights than
 * the image's user has, in a folder that cannot be written to.
 */
export class ContainerProcess implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    /** The id of its first process, as seen from outside. */
    readonly pid: number,
    private readonly output: () => string,
  ) {}

  static async start(folder: string, facts: ImageFacts, settings: Record<string, string>): Promise<ContainerProcess> {
    const tini =
      facts.entrypoint[0] === '/usr/bin/tini'
        ? [requireBinary('tini'), ...facts.entrypoint.slice(1)]
        : facts.entrypoint;
    const [user, group] = facts.user.split(':');
    const inside = `mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" && exec setpriv --reuid ${user} --regid ${group} --clear-groups --no-new-privs --bounding-set=-all "$@"`;
    const args = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', inside, 'sh', ...tini, ...facts.command];
    const data = join(dirname(folder), 'data');
    const env = Object.fromEntries(
      Object.entries(facts.env).map(([name, value]) => [name, value.replace('/data', data)]),
    );
    const child = spawn('unshare', args, {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...env, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const pid = await eventually(async () => {
      const [first] = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).split(' ');
      const name = await readFile(`/proc/${first}/comm`, 'utf8');
      // What makes the namespace ready is not the image's process yet.
      return name.trim() === 'tini' && Number(first);
    });
    return new ContainerProcess(child, Number(pid), () => output);
  }

  get printed(): string {
    return this.output();
  }

  /** Sends the signal to the first process, as `docker stop` and the kubelet do; the exit code, and how long it took in milliseconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ readonly code: number | null; readonly ms: number }> {
    const startedAt = performance.now();
    const exited = once(this.child, 'exit');
    process.kill(this.pid, signal);
    await exited;
    return { code: this.child.exitCode, ms: performance.now() - startedAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    process.kill(this.pid, 'SIGKILL');
    await exited;
  }
}

/** Whether this machine lets a test make namespaces: root may, unless it is in a container itself. */
export const namespacesAvailable =
  spawnSync('unshare', ['--mount', '--pid', '--fork', 'true'], { stdio: 'ignore' }).status === 0;
