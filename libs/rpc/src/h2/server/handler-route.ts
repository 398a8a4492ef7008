import { CallContext, type CallObserver } from '@holdfast/core';
import type { MessageHandler } from '@nestjs/microservices';
import type * as grpc from '@grpc/grpc-js';
import { isObservable, lastValueFrom } from 'rxjs';
import type { RpcMethod } from '../../method.js';
import { oneAnswer, writeAnswers } from '../../server/answers.js';
import { handlerError } from '../../server/handler-error.js';
import type { FoundHandler } from '../../server/handlers.js';
import { RequestStream } from '../../server/request-stream.js';
import type { Route } from './route.js';
import type { ServerCall } from './server-call.js';

type Handle = (...args: unknown[]) => unknown;
type WritingCall = grpc.ServerDuplexStream<unknown, unknown>;

/** The route of a method that a Nest controller handles: `@GrpcMethod`, `@GrpcStreamMethod`, `@GrpcStreamCall`. */
export function handlerRoute(
  method: RpcMethod<unknown, unknown>,
  found: FoundHandler,
  domain: string,
  observer: CallObserver | undefined,
): Route {
  return { method, domain, observer, serve: serveBy(method, found) };
}

function serveBy(method: RpcMethod<unknown, unknown>, { kind, handle }: FoundHandler): Route['serve'] {
  if (kind === 'pt_stream') return run((call) => passThrough(call, handle as Handle, method.responseStream));
  const start = method.requestStream ? takeAll : takeOne;
  return method.responseStream
    ? run((call) => serveMany(call, handle, start))
    : run((call) => serveOne(call, handle, start, method.requestStream));
}

/** Runs `task` in the context of its call. */
function run(task: (call: ServerCall) => Promise<void>): Route['serve'] {
  return (call) => void CallContext.run(call.context, task, call);
}

function takeOne(call: ServerCall, handle: MessageHandler): unknown {
  return (handle as Handle)(call.request, call.metadata, call.surface ?? call);
}

function takeAll(call: ServerCall, handle: MessageHandler): unknown {
  const requests = new RequestStream(call.surface as unknown as WritingCall, call);
  return (handle as Handle)(requests, call.metadata, call.surface);
}

/** A handler with one answer. @param last which of several values of an Observable counts */
async function serveOne(call: ServerCall, handle: MessageHandler, start: typeof takeOne, last: boolean): Promise<void> {
  try {
    let answer = await start(call, handle);
    if (isObservable(answer)) answer = await oneAnswer(answer, last, call);
    call.reply(answer);
  } catch (error) {
    if (!call.abandoned) call.fail(handlerError(error));
  }
}

/** A handler with a stream of answers. */
async function serveMany(call: ServerCall, handle: MessageHandler, start: typeof takeOne): Promise<void> {
  try {
    const surface = call.surface as unknown as WritingCall;
    await writeAnswers(await start(call, handle), surface, call);
    surface.end();
  } catch (error) {
    if (!call.abandoned) call.fail(handlerError(error));
  }
}

/** `@GrpcStreamCall`: the handler has the call itself and answers on it. */
async function passThrough(call: ServerCall, handle: Handle, many: boolean): Promise<void> {
  const reply: grpc.sendUnaryData<unknown> = (error, value, trailer) => {
    if (error) call.fail(handlerError(error), trailer);
    else call.reply(value, trailer);
  };
  try {
    const result: unknown = await handle(call.surface, many ? undefined : reply);
    // What it emits goes nowhere, but its error is the error of the call.
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
  } catch (error) {
    if (!call.abandoned) call.fail(handlerError(error));
  }
}
