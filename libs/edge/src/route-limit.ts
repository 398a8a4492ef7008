import { StartupError } from '@holdfast/core';
import {
  applyDecorators,
  Inject,
  Injectable,
  Optional,
  SetMetadata,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { admittedOf, tell } from './admission.js';
import { tooMany, type ClientLimit } from './client-limit.js';
import { routeLimitSpec, type RouteLimit } from './edge-spec.js';

const ROUTE_LIMIT = Symbol('route limit');
/** Where a process with an HTTP edge has the clients' buckets for each limit. */
export const ROUTE_LIMITS = Symbol('route limits');

export interface NamedLimit {
  readonly name: string;
  readonly limit: RouteLimit;
}

/** The clients' buckets for a limit that a method names. */
export type RouteLimits = (limit: NamedLimit) => ClientLimit;

/**
 * Bounds how often each client may call a method, beside the limit for all of its requests. Operators change the numbers while the
 * app serves, as `rateLimit.<name>`. What all clients together may do is `@Resilient`'s to bound.
 * @param name as in `@Resilient`: words with dots between them, such as `users.create`; not `client`
 * @throws StartupError where the name or a number is no good
 */
export function RateLimit(name: string, limit: RouteLimit): MethodDecorator {
  if (!/^[a-z][\w-]*(\.[\w-]+)*$/i.test(name) || name === 'client') {
    throw new StartupError(`@RateLimit('${name}'): name it by words with dots between them, such as users.create.`);
  }
  const { error } = routeLimitSpec.safeParse(limit);
  if (error) {
    const [issue] = error.issues;
    throw new StartupError(`@RateLimit('${name}'): ${issue?.path.join('.')}: ${issue?.message}.`);
  }
  return applyDecorators(SetMetadata(ROUTE_LIMIT, { name, limit } satisfies NamedLimit), UseGuards(LimitGuard));
}

/** The limit that `@RateLimit` gives `method`. */
export function limitOn(method: object): NamedLimit | undefined {
  return Reflect.getMetadata(ROUTE_LIMIT, method) as NamedLimit | undefined;
}

/** Holds clients to the limit of a method. It comes with the decorator, so that requests for other methods pass no guard for it. */
@Injectable()
class LimitGuard implements CanActivate {
  readonly #limits: RouteLimits | undefined;

  constructor(@Optional() @Inject(ROUTE_LIMITS) limits?: RouteLimits) {
    this.#limits = limits;
  }

  /** @throws RateLimited; it never answers false */
  canActivate(context: ExecutionContext): boolean {
    if (!this.#limits || context.getType() !== 'http') return true;
    const http = context.switchToHttp();
    const client = admittedOf(http.getRequest<FastifyRequest>())?.client;
    const named = limitOn(context.getHandler());
    if (!named || client === undefined) return true;
    const allowance = this.#limits(named).take(client);
    tell(http.getResponse<FastifyReply>(), allowance);
    if (!allowance.allowed) throw tooMany(allowance);
    return true;
  }
}
