import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Memory of the process in RAM, in bytes; undefined where the system does not say, or the process is gone. */
export function residentMemory(pid: number): number | undefined {
  const kilobytes = process.platform === 'linux' ? readProc(pid) : askPs(pid);
  return kilobytes ? Number(kilobytes) * 1024 : undefined;
}

function readProc(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)?.[1];
  } catch {
    return undefined;
  }
}

function askPs(pid: number): string {
  return spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
}
