import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const fetched = fileURLToPath(new URL('../../.backends/bin/wrk', import.meta.url));

/** The load generator's binary: the one that `tools/backends.sh wrk` fetched, else the machine's own. */
export async function findWrk() {
  if (existsSync(fetched)) return fetched;
  const found = await run('sh', ['-c', 'command -v wrk']).catch(() => undefined);
  if (!found) throw new Error('wrk is missing; run `bash tools/backends.sh wrk` first.');
  return found.stdout.trim();
}

const unit = { us: 1e-3, ms: 1, s: 1e3, m: 6e4 };

/**
 * A closed loop: each of `connections` sends its next request when the last was answered.
 * @returns requests done, requests per second, latencies in milliseconds
 * @throws when any answer was not 2xx, or any socket failed: such a run measures something else
 */
export async function load(wrk, url, { connections, seconds }) {
  const { stdout } = await run(wrk, ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '5s', '--latency', url]);
  const failure = stdout.match(/Non-2xx or 3xx responses: \d+|Socket errors:.*/);
  if (failure) throw new Error(`${url} with ${connections} connections: ${failure[0]}.`);
  const number = (pattern) => Number(stdout.match(pattern)?.[1]);
  const percentile = (rank) => {
    const [, value, scale] = stdout.match(new RegExp(`^\\s+${rank}%\\s+([\\d.]+)(us|ms|s|m)`, 'm'));
    return Number(value) * unit[scale];
  };
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50: percentile(50),
    p99: percentile(99),
  };
}
