import { vi } from 'vitest';
import { parse } from 'yaml';
import type { ConfigDriver, Reading } from '../driver.js';

/** A sentence: a capital or a name at its start is the driver's affair, one full stop at its end and no line break are not. */
export const SENTENCE = /^[^\n]+[^.\n]\.$/;
export const never = (): AbortSignal => new AbortController().signal;

/** What a reading says, whether a document says it or single entries do: the oracle that all drivers are held to. */
export function settingsOf({ entries }: Reading): unknown {
  const root = new Map<string, unknown>();
  const paths = [...entries.keys()].filter((path) => !path.startsWith('.')).sort();
  for (const path of paths) put(root, path === '' ? [] : path.split('.'), parse(entries.get(path)!) as unknown);
  return plain(root);
}

function put(root: Map<string, unknown>, path: readonly string[], value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) put(root, [...path, ...key.split('.')], inner);
    return;
  }
  if (path.length === 0) return;
  let at = root;
  for (const key of path.slice(0, -1)) {
    const inner = at.get(key);
    const branch = inner instanceof Map ? (inner as Map<string, unknown>) : new Map<string, unknown>();
    at.set(key, branch);
    at = branch;
  }
  if (value === null) at.delete(path.at(-1)!);
  else at.set(path.at(-1)!, value);
}

function plain(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...(value as Map<string, unknown>)].map(([key, inner]) => [key, plain(inner)]));
}

/** What is there now. */
export const now = (driver: ConfigDriver, service: string): Promise<Reading> =>
  driver.read(service, undefined, never());

/** Reads on from `last` until something differs. Readings that only look new are skipped. */
export async function next(
  driver: ConfigDriver,
  service: string,
  last: Reading,
  signal: AbortSignal = never(),
): Promise<Reading> {
  let reading = last;
  do reading = await driver.read(service, reading.cursor, signal);
  while (JSON.stringify([...reading.entries].sort()) === JSON.stringify([...last.entries].sort()));
  return reading;
}

/** Reads on, from `from` or from the start, until what is read is as it should be. */
export async function holds(
  driver: ConfigDriver,
  service: string,
  good: (reading: Reading) => boolean,
  { from, withinMs = 5_000 }: { readonly from?: Reading; readonly withinMs?: number } = {},
): Promise<Reading> {
  const late = AbortSignal.timeout(withinMs);
  let reading = from ?? (await driver.read(service, undefined, late));
  while (!good(reading)) {
    reading = await driver.read(service, reading.cursor, late).catch((error: unknown) => {
      if (!late.aborted) throw error;
      const found = JSON.stringify(settingsOf(reading)) ?? 'nothing';
      throw new Error(`after ${withinMs} ms ${driver.name} still has ${found.slice(0, 300)}`, { cause: error });
    });
  }
  return reading;
}

/** Reads, changes and writes until no other writer was faster. */
export async function update(
  driver: ConfigDriver,
  service: string,
  changes: (reading: Reading) => Readonly<Record<string, string | undefined>>,
): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const reading = await now(driver, service);
    if (await driver.write(service, new Map(Object.entries(changes(reading))), reading.cursor, never())) return;
  }
  throw new Error(`${driver.name} took none of 200 writes`);
}

/** Writes whatever is there by now, as an operator would who has just looked. */
export const set = (driver: ConfigDriver, service: string, changes: Readonly<Record<string, string | undefined>>) =>
  update(driver, service, () => changes);

/** Lets real time pass: a wait that must not end can be shown in no other way. */
export async function pause(ms: number): Promise<void> {
  const until = performance.now() + ms;
  await vi.waitUntil(() => performance.now() >= until, { timeout: ms + 5_000, interval: Math.min(50, ms) });
}
