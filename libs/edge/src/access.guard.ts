import { CallContext, Code, ServiceError } from '@holdfast/core';
import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { accessOf, type Access } from './access.js';
import { admittedOf } from './admission.js';
import type { Identity, IdentitySeal } from './identity.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

export interface AccessDeps {
  /** Whether tokens are asked for at all. */
  readonly authenticates: boolean;
  /** Undefined where services cannot check on whose behalf they are called. */
  readonly seal: IdentitySeal | undefined;
}

/** Who may call which method: what the decorators of `access.ts` say. Where no key is configured, scopes are not asked for. */
export class AccessGuard implements CanActivate {
  readonly #deps: AccessDeps;
  readonly #rules = new WeakMap<Type, Map<Handler, Access>>();

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  /** @throws ServiceError UNAUTHENTICATED or PERMISSION_DENIED; it never answers false */
  canActivate(context: ExecutionContext): boolean {
    const { open, scopes } = this.#rulesOf(context.getClass(), context.getHandler());
    const { authenticates, seal } = this.#deps;
    if (context.getType() === 'http') {
      if (authenticates && !open) checkHttp(context.switchToHttp().getRequest<FastifyRequest>(), scopes);
    } else if (scopes.length > 0 && seal) checkScopes(callerOf(seal), scopes);
    return true;
  }

  #rulesOf(owner: Type, handler: Handler): Access {
    let known = this.#rules.get(owner);
    if (!known) this.#rules.set(owner, (known = new Map()));
    let rules = known.get(handler);
    if (!rules) known.set(handler, (rules = accessOf(owner, handler)));
    return rules;
  }
}

function checkHttp(request: FastifyRequest, scopes: readonly string[]): void {
  const admitted = admittedOf(request);
  if (!admitted?.identity) throw admitted?.refusal ?? missingToken();
  checkScopes(admitted.identity, scopes);
}

function checkScopes(identity: Identity | undefined, scopes: readonly string[]): void {
  if (!identity) throw missingToken();
  const missing = scopes.filter((scope) => !identity.scopes.includes(scope));
  if (missing.length === 0) return;
  throw new ServiceError(Code.PERMISSION_DENIED, `This needs the scope ${missing.join(' ')}.`, {
    reason: 'INSUFFICIENT_SCOPE',
  });
}

function callerOf(seal: IdentitySeal): Identity | undefined {
  const sealed = CallContext.current()?.identity;
  return sealed === undefined ? undefined : seal.open(sealed);
}

/** The error for a request that needs a token and has none. */
function missingToken(): ServiceError {
  const message = 'This needs a bearer token in the Authorization header.';
  return new ServiceError(Code.UNAUTHENTICATED, message, { reason: 'MISSING_TOKEN' });
}
