import { setMaxListeners } from 'node:events';
import { connect } from 'node:net';
import { abortAfter, type Clock } from '@holdfast/core';
import type { Instance } from './driver.js';

/**
 * Asks an instance itself whether it serves. Discovery uses it where the registry's word is not enough.
 * Resolves with the answer; a rejection counts as "no".
 */
export type Probe = (instance: Instance, signal: AbortSignal) => Promise<boolean>;

/** True where something accepts connections at the instance's address: the weakest probe, good for any protocol. */
export const tcpProbe: Probe = (instance, signal) =>
  new Promise((resolve) => {
    const socket = connect({ host: instance.host, port: instance.port, signal });
    const finish = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });

/** Instances probed at once; more of a large fleet, so that asking all of it takes no more than {@link MOST_ROUNDS} seconds. */
const CONCURRENCY = 16;
/** A fleet that is really gone, and hangs instead of refusing, is believed gone within 30 s. */
const MOST_ROUNDS = 20;
const PROBE_TIMEOUT_MS = 1_000;

/** Which of `instances` answer the probe with yes, each within a second, and all within 20. */
export async function probeAll(
  probe: Probe,
  instances: readonly Instance[],
  clock: Clock,
  signal: AbortSignal,
): Promise<Set<Instance>> {
  const alive = new Set<Instance>();
  // Each probe under way listens, and takes its listener away again.
  setMaxListeners(0, signal);
  const queue = [...instances];
  const worker = async () => {
    for (let instance = queue.pop(); instance && !signal.aborted; instance = queue.pop()) {
      using bounded = abortAfter(clock, PROBE_TIMEOUT_MS, 'the probe had no answer in time', signal);
      if (await answer(probe, instance, bounded.signal)) alive.add(instance);
    }
  };
  const workers = Math.max(CONCURRENCY, Math.ceil(instances.length / MOST_ROUNDS));
  await Promise.all(Array.from({ length: Math.min(workers, instances.length) }, worker));
  return alive;
}

/** The probe's answer, or "no" when the signal aborts, even where the probe itself does not heed it. */
function answer(probe: Probe, instance: Instance, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(false), { once: true });
    probe(instance, signal).then(resolve, () => resolve(false));
  });
}
