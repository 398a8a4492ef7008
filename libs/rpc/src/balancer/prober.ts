import type { Clock, Timer } from '@holdfast/core';
import type { Balancer, Probes } from './balancer.js';
import type { Member } from './member.js';

/** What a health check can find. `unknown`: the instance has no health service, so that nothing is known. */
export type Health = 'serving' | 'failing' | 'unknown';

/** Asks a member for its health; it reports once, within a bounded time. */
export type HealthCheck<M extends Member> = (member: M, report: (health: Health) => void) => void;

/** How long an ejected member waits for an idempotent call to be its probe, in milliseconds; then it is let back without. */
const TRIAL_WAIT_MS = 10_000;

/**
 * Probes ejected members when their pause is over, each with one probe at a time: a health check where the instance
 * offers one, else one real idempotent call.
 */
export class Prober<M extends Member> implements Probes<M> {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #check: HealthCheck<M>;
  readonly #timers = new Map<M, Timer>();

  constructor(clock: Pick<Clock, 'after'>, check: HealthCheck<M>) {
    this.#clock = clock;
    this.#check = check;
  }

  /** Has `member` probed after the pause, and `balancer` told of the result. */
  schedule(balancer: Balancer<M>, member: M, pauseMs: number): void {
    this.#after(member, pauseMs, () => {
      balancer.probing(member);
      this.#check(member, (health) => {
        if (member.standing !== 'probing') return;
        if (health === 'serving') balancer.readmit(member);
        else if (health === 'failing') balancer.extend(member);
        else this.#tryByCall(balancer, member);
      });
    });
  }

  /** Forgets `member`, who has left. */
  forget(member: M): void {
    this.#timers.get(member)?.cancel();
    this.#timers.delete(member);
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #tryByCall(balancer: Balancer<M>, member: M): void {
    balancer.tryByCall(member);
    this.#after(member, TRIAL_WAIT_MS, () => {
      if (member.standing === 'trial') balancer.readmit(member);
    });
  }

  #after(member: M, ms: number, task: () => void): void {
    this.forget(member);
    const timer = this.#clock.after(ms, () => {
      this.#timers.delete(member);
      task();
    });
    this.#timers.set(member, timer);
  }
}
