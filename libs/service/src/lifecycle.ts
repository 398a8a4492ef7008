import { Cell, type Journal, type Live } from '@holdfast/core';

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

/** Has the journal say when the process `id` serves and drains. */
export function noteLife(lifecycle: Lifecycle, id: string, journal: Journal): void {
  lifecycle.phase.subscribe((phase) => {
    if (phase === 'ready') journal.note('serving', id, 'serves');
    if (phase === 'draining') journal.note('draining', id, 'drains: it takes no new work, and ends what it has');
  });
}
