import { CallContext } from '@holdfast/core';

/** Work that ends when the spec says so, and the context that it began in. */
export class Job {
  readonly context = CallContext.current();
  readonly done: Promise<unknown>;
  end!: (value?: unknown) => void;
  fail!: (error: unknown) => void;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
  }
}
