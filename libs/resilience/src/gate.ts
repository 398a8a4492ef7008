import { CircuitOpen, type ServiceError } from '@holdfast/core';

/** Leave to make one call. It belongs to one period between two changes of state; after that, its outcome changes nothing. */
export type Pass = number;

export type BreakerState = 'closed' | 'open' | 'halfOpen';

/** What a breaker's gate gives where it refuses. */
export const NO_PASS: Pass = 0;

/** What a call asks on its way, and reports to: a breaker, or an operator's word in its place. */
export interface Gate {
  readonly state: BreakerState;
  /** What those who are refused are told. */
  readonly refusal: ServiceError;
  /** Asks to make a call at `now`, which has its outcome within `probeTimeoutMs`; gives NO_PASS where it may not. */
  tryEnter(probeTimeoutMs?: number, now?: number): Pass;
  succeeded(pass: Pass, durationMs: number, now?: number): void;
  failed(pass: Pass, durationMs: number, error?: unknown, now?: number): void;
  ignored(pass: Pass): void;
}

/** An operator has said that no call goes out. What is under way ends as it does. */
export class ForcedOpen implements Gate {
  readonly state = 'open';
  readonly refusal: CircuitOpen;

  constructor(name: string) {
    this.refusal = new CircuitOpen(`An operator has opened ${name}; no call goes out until that is taken back.`);
    // It would show whoever was refused first, and to all.
    this.refusal.stack = `${this.refusal.name}: ${this.refusal.message}`;
  }

  tryEnter(): Pass {
    return NO_PASS;
  }

  succeeded(): void {}

  failed(): void {}

  ignored(): void {}
}
