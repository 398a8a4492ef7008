import * as grpc from '@grpc/grpc-js';
import { Code, ServiceError } from '@holdfast/core';
import { isObservable, type Observable } from 'rxjs';
import { detailsKey, encodeError } from '../error-details.js';
import { handlerError } from './handler-error.js';
import type { Inbound } from './inbound.js';

type AnswerCall = grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;

/**
 * Waits for the one answer of a handler that gave an Observable.
 * @param last which of several values of an Observable counts; the other choice is the first, which ends it
 */
export function oneAnswer(result: Observable<unknown>, last: boolean, inbound: Inbound): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let found: { readonly value: unknown } | undefined;
    const done = () => {
      if (found) resolve(found.value);
      else reject(new ServiceError(Code.INTERNAL, 'The handler ended without an answer.'));
    };
    const subscription = result.subscribe({
      next(value) {
        if (found && !last) return;
        found = { value };
        if (!last) done();
      },
      error: reject,
      complete: done,
    });
    if (subscription.closed) return;
    inbound.onAbandoned(() => {
      subscription.unsubscribe();
      reject(inbound.abandonedBecause);
    });
  });
}

/**
 * Writes all answers of a streaming handler: an Observable's as they come, an AsyncIterable's as the caller takes them.
 * Resolves when the last one is written or nobody waits any more, rejects with what the handler threw.
 */
export async function writeAnswers(result: unknown, call: AnswerCall, inbound: Inbound): Promise<void> {
  if (isAsyncIterable(result)) return writeEach(result, call, inbound);
  if (!isObservable(result)) {
    // A handler may also resolve with the one answer that it has.
    if (result !== undefined) call.write(result);
    return;
  }
  let pending: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    const subscription = result.subscribe({
      next(value) {
        // Interceptors turn what a handler returns into an Observable of it, an AsyncIterable too.
        if (isAsyncIterable(value)) {
          pending = pending.then(() => writeEach(value, call, inbound));
          pending.catch(reject);
        } else if (!inbound.abandoned) call.write(value);
      },
      error: reject,
      complete: resolve,
    });
    if (subscription.closed) return;
    inbound.onAbandoned(() => {
      subscription.unsubscribe();
      resolve();
    });
  });
  await pending;
}

async function writeEach(answers: AsyncIterable<unknown>, call: AnswerCall, inbound: Inbound): Promise<void> {
  for await (const answer of answers) {
    if (inbound.abandoned) return;
    if (!call.write(answer)) await takenOrOver(call);
    if (inbound.abandoned) return;
  }
}

function takenOrOver(call: AnswerCall): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('cancelled', done);
      resolve();
    };
    call.on('drain', done);
    call.on('cancelled', done);
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  // An Observable of RequestStream's kind is both, and it is the handler's input, not its output, that is read.
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && !isObservable(value);
}

/** The status and details that a caller gets for what a handler threw. */
export function statusOf(error: unknown, domain: string): grpc.ServerErrorResponse {
  const failure = handlerError(error);
  const { code, message, details } = encodeError(failure, domain);
  const status = { name: failure.name, message, code, details: message };
  if (details === undefined) return status;
  const metadata = new grpc.Metadata();
  metadata.set(detailsKey, details);
  return { ...status, metadata };
}
