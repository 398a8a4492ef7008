import { CallContext, Cancelled, StartupError } from '@holdfast/core';
import { isObservable, Observable, takeWhile } from 'rxjs';
import { Attempt } from './attempt.js';
import type { Pipeline } from './pipeline.js';
import type { Work } from './run.js';

/**
 * A method that returns an Observable, under the policies: each subscription is one call, which lasts until the Observable
 * completes. Values pass as they come; once one has, the attempt is not repeated and no fallback answers. Unsubscribing
 * cancels the call.
 */
export function observed(pipeline: Pipeline, fn: Work, self: unknown, args: readonly unknown[]): Observable<unknown> {
  return new Observable((subscriber) => {
    if (pipeline.shares)
      throw new StartupError(`${pipeline.name}: an Observable can be neither cached nor coalesced; leave these out.`);
    const left = new AbortController();
    const outer = CallContext.current() ?? new CallContext();
    const signal = outer.cancellable ? AbortSignal.any([outer.signal, left.signal]) : left.signal;
    const subscription: Work = () => {
      const attempt = CallContext.current()!;
      const source = Reflect.apply(fn, self, args) as Observable<unknown>;
      return new Promise<void>((resolve, reject) => {
        // Within a source that emits synchronously, a subscriber who has had enough can be told in no other way.
        const inner = source.pipe(takeWhile(() => !subscriber.closed)).subscribe({
          next(value) {
            if (attempt instanceof Attempt) attempt.show();
            subscriber.next(value);
          },
          error: reject,
          complete: resolve,
        });
        const stop = () => {
          inner.unsubscribe();
          reject(attempt.signal.reason);
        };
        attempt.signal.addEventListener('abort', stop);
        inner.add(() => attempt.signal.removeEventListener('abort', stop));
      });
    };
    const finish = (value: unknown) => {
      // Of the work itself there is no value left; this one is the fallback's.
      if (isObservable(value)) {
        value.subscribe(subscriber);
        return;
      }
      if (value !== undefined) subscriber.next(value);
      subscriber.complete();
    };
    const call = CallContext.run(outer.with({ signal }), () => pipeline.call(subscription, self, args));
    call.then(finish, (error: unknown) => subscriber.error(error));
    return () => left.abort(new Cancelled('The subscriber has left.'));
  });
}
