import { StartupError } from '@holdfast/core';
import { SetMetadata } from '@nestjs/common';
import { routeLimitSpec, type RouteLimit } from './edge-spec.js';

const PUBLIC = Symbol('public');
const SCOPES = Symbol('scopes');
const ROUTE_LIMIT = Symbol('route limit');

export interface NamedLimit {
  readonly name: string;
  readonly limit: RouteLimit;
}

/** Lets everybody call: no token is needed, and a bad one does no harm. For a method or a whole controller. */
export const Public = () => SetMetadata(PUBLIC, true);

/**
 * Lets only those call whose token has all of `scopes`; others get 403 PERMISSION_DENIED. It counts for methods of HTTP and
 * gRPC controllers, and for whole controllers, where a method's own scopes take the place of its controller's.
 */
export const Scopes = (...scopes: readonly [string, ...string[]]) => SetMetadata(SCOPES, scopes);

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
  return SetMetadata(ROUTE_LIMIT, { name, limit } satisfies NamedLimit) as MethodDecorator;
}

/** What a method asks of its callers. */
export interface Access {
  /** Whether everybody may call. */
  readonly open: boolean;
  readonly scopes: readonly string[];
}

/** What the decorators say of `method` of the controller `owner`. */
export function accessOf(owner: object, method: object): Access {
  const scopes = metadata<readonly string[]>(SCOPES, method);
  return {
    // Whoever puts scopes on a method of a public controller means them.
    open: metadata(PUBLIC, method) === true || (metadata(PUBLIC, owner) === true && !scopes),
    scopes: scopes ?? metadata(SCOPES, owner) ?? [],
  };
}

/** The limit that `@RateLimit` gives `method`. */
export function limitOn(method: object): NamedLimit | undefined {
  return metadata(ROUTE_LIMIT, method);
}

function metadata<T>(key: symbol, target: object): T | undefined {
  return Reflect.getMetadata(key, target) as T | undefined;
}
