import { endWithout, type Caller } from './fallback.js';
import type { Outcome } from './outcome.js';
import type { Pipeline } from './pipeline.js';
import { Run, type Work } from './run.js';

/** A run for one caller. */
export class Call extends Run implements Caller {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;

  constructor(
    pipeline: Pipeline,
    fn: Work,
    self: unknown,
    args: readonly unknown[],
    now: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    super(pipeline, fn, self, args, now, true);
    this.resolve = resolve;
    this.reject = reject;
  }

  protected onAnswer(value: unknown, now: number): void {
    this.pipeline.window.succeeded(now - this.startedAt);
    this.pipeline.ended('ok', this.trace);
    this.resolve(value);
  }

  protected onFailure(error: unknown, outcome: Outcome): void {
    endWithout(this, error, outcome);
  }
}
