import { Cell, type Live } from '@holdfast/core';

/** starting → ready → draining → stopped; a failed start goes straight to stopped. */
export type Phase = 'starting' | 'ready' | 'draining' | 'stopped';

/** Where the process is in its life. Probes and servers read it; only the start and stop of the service move it on. */
export class Lifecycle {
  readonly #phase = new Cell<Phase>('starting');

  get phase(): Live<Phase> {
    return this.#phase;
  }

  enter(phase: Phase): void {
    this.#phase.set(phase);
  }
}
