import { createHash } from 'node:crypto';
import { Code, ServiceError, type Live } from '@holdfast/core';
import {
  applyDecorators,
  Inject,
  Injectable,
  Optional,
  SetMetadata,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { admittedOf } from './admission.js';
import type { EdgeSpec } from './edge-spec.js';
import type { IdempotencyStore } from './idempotency-store.js';
import { SingleRequest } from './single-request.js';

export const IDEMPOTENCY_STORE = Symbol('idempotency store');
export const EDGE_SPEC = Symbol('edge spec');
/** Marks the methods that honour an `Idempotency-Key`. */
export const IDEMPOTENT = Symbol('idempotent');

/** With or without the quotes that a structured field has. */
const KEY = /^"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?$/;
/**
 * Does the work of a request with an `Idempotency-Key` once: its repetitions get the first one's answer, or 409 while that is still
 * under way. A client that leaves does not stop the work, since it will ask again. By draft-ietf-httpapi-idempotency-key-header-06.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  readonly #store: IdempotencyStore | undefined;
  readonly #spec: Live<EdgeSpec> | undefined;

  /** Without the edge's module, as in a controller's spec, there is nothing to keep answers in, and each request does its work. */
  constructor(
    @Optional() @Inject(IDEMPOTENCY_STORE) store?: IdempotencyStore,
    @Optional() @Inject(EDGE_SPEC) spec?: Live<EdgeSpec>,
  ) {
    this.#store = store;
    this.#spec = spec;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const header = request.headers['idempotency-key'];
    if (header === undefined || !this.#store || !this.#spec) return next.handle();
    const { idempotencyTtl } = this.#spec.value;
    const once = new SingleRequest(this.#store, idempotencyTtl, keyOf(header, request), fingerprintOf(request));
    const work = () => lastValueFrom(next.handle(), { defaultValue: undefined });
    return from(once.answer(http.getResponse<FastifyReply>(), work));
  }
}

/** Makes a method that is not idempotent safe to repeat for clients that send an `Idempotency-Key`. */
export const Idempotent = () => applyDecorators(UseInterceptors(IdempotencyInterceptor), SetMetadata(IDEMPOTENT, true));

/** Keys of different users, and of different routes, have nothing to do with each other. */
function keyOf(header: string | string[], request: FastifyRequest): string {
  const word = typeof header === 'string' ? KEY.exec(header)?.[1] : undefined;
  if (word === undefined) {
    const violations = [{ field: 'Idempotency-Key', description: 'must be 1 to 255 visible ASCII characters' }];
    throw new ServiceError(Code.INVALID_ARGUMENT, 'The request is not as it must be.', { violations });
  }
  const subject = admittedOf(request)?.identity?.subject;
  return digest([subject ?? null, request.method, request.routeOptions.url, word]);
}

function fingerprintOf({ url, body }: FastifyRequest): string {
  try {
    return digest([url, body]);
  } catch (cause) {
    // It was read, but nobody has looked at it yet: thousands of levels are too many to write it again.
    throw new ServiceError(Code.INVALID_ARGUMENT, 'The body is nested too deeply.', { cause });
  }
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
