// What every bench says of the machine, makes of its samples, and leaves behind.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The version of the Node binary that is measured, and the machine: the head of every report. */
export function machine(node) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  return { version, about: `Node ${version}, ${cpus().length} × ${cpus()[0].model}` };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Keeps what a bench measured under bench/results, and says where. */
export function save(bench, record) {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const stamp = new Date().toISOString().replace(/[:.]/g, '-');
  const file = fileURLToPath(new URL(`${bench}-${stamp}.json`, folder));
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`);
  return file;
}
