import { vi } from 'vitest';
import type { Answer, Instance, RegistryDriver } from '../driver.js';

/** A sentence: a capital or a name at its start is the driver's affair, one full stop at its end and no line break are not. */
export const SENTENCE = /^[^\n]+[^.\n]\.$/;
export const never = (): AbortSignal => new AbortController().signal;
let serial = 0;

/** An instance with every field that there is, and an id of its own. */
export function complete(service: string, changes: Partial<Instance> = {}): Instance {
  const number = ++serial;
  return {
    id: `${service}-${process.pid}-${number}`,
    service,
    host: '127.0.0.1',
    port: 20_000 + (number % 40_000),
    protocol: 'grpc',
    weight: 7,
    version: '1.2.3-rc.1+build',
    zone: 'rack-2',
    adminPort: 9_901,
    metadata: { colour: 'blue', 'build.commit_id': 'a1/b2', größe: 'groß, 漢字 🚀' },
    ...changes,
  };
}

/** Reads on from `last` until an answer has other instances. Answers that only look new are skipped. */
export async function next(
  driver: RegistryDriver,
  service: string,
  last: Answer,
  signal: AbortSignal,
): Promise<Answer> {
  let answer = last;
  do answer = await driver.read(service, answer.cursor, signal);
  while (JSON.stringify(byId(answer.instances)) === JSON.stringify(byId(last.instances)));
  return answer;
}

/** Watches the service until its instances are as they should be. */
export async function holds(
  driver: RegistryDriver,
  service: string,
  good: (instances: readonly Instance[]) => boolean,
  withinMs = 2 * driver.propagationMs + 5_000,
): Promise<Answer> {
  const late = AbortSignal.timeout(withinMs);
  let answer = await driver.read(service, undefined, late);
  while (!good(answer.instances)) {
    answer = await driver.read(service, answer.cursor, late).catch((error: unknown) => {
      if (!late.aborted) throw error;
      const found = JSON.stringify(answer.instances.map((instance) => instance.id));
      throw new Error(`after ${withinMs} ms ${driver.name} still has ${found.slice(0, 300)}`, { cause: error });
    });
  }
  return answer;
}

export function byId(instances: readonly Instance[]): readonly Instance[] {
  return instances.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Lets real time pass: heartbeats are about nothing else. */
export async function pause(ms: number): Promise<void> {
  const until = performance.now() + ms;
  await vi.waitUntil(() => performance.now() >= until, { timeout: ms + 5_000, interval: Math.min(50, ms) });
}
