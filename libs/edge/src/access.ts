import { SetMetadata } from '@nestjs/common';

const PUBLIC = Symbol('public');
const SCOPES = Symbol('scopes');

/** Lets everybody call: no token is needed, and a bad one does no harm. For a method or a whole controller. */
export const Public = () => SetMetadata(PUBLIC, true);

/**
 * Lets only those call whose token has all of `scopes`; others get 403 PERMISSION_DENIED. It counts for methods of HTTP and
 * gRPC controllers, and for whole controllers, where a method's own scopes take the place of its controller's.
 */
export const Scopes = (...scopes: readonly [string, ...string[]]) => SetMetadata(SCOPES, scopes);

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

function metadata<T>(key: symbol, target: object): T | undefined {
  return Reflect.getMetadata(key, target) as T | undefined;
}
