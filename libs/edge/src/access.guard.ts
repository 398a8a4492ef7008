import { CallContext, Code, ServiceError } from '@holdfast/core';
import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessOf, limitOn, type Access, type NamedLimit } from './access.js';
import { admittedOf, tell } from './admission.js';
import { tooMany, type ClientLimit } from './client-limit.js';
import type { Identity, IdentitySeal } from './identity.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

/** What one method asks of its callers. */
interface Rules extends Access {
  readonly limit: ClientLimit | undefined;
}

export interface AccessDeps {
  /** Whether tokens are asked for at all. */
  readonly authenticates: boolean;
  /** Undefined where services cannot check on whose behalf they are called. */
  readonly seal: IdentitySeal | undefined;
  /** The client's buckets for a limit that a method names. */
  readonly limitOf: (limit: NamedLimit) => ClientLimit | undefined;
}

/** Who may call which method: what the decorators of `access.ts` say. Where no key is configured, scopes are not asked for. */
export class AccessGuard implements CanActivate {
  readonly #deps: AccessDeps;
  readonly #rules = new WeakMap<Type, Map<Handler, Rules>>();

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  /** @throws ServiceError UNAUTHENTICATED, PERMISSION_DENIED or RESOURCE_EXHAUSTED; it never answers false */
  canActivate(context: ExecutionContext): boolean {
    const rules = this.#rulesOf(context.getClass(), context.getHandler());
    if (context.getType() === 'http') this.#checkHttp(context, rules);
    else if (rules.scopes.length > 0 && this.#deps.seal) checkScopes(callerOf(this.#deps.seal), rules.scopes);
    return true;
  }

  #checkHttp(context: ExecutionContext, { open, scopes, limit }: Rules): void {
    if (open && !limit) return;
    const http = context.switchToHttp();
    const admitted = admittedOf(http.getRequest<FastifyRequest>());
    if (this.#deps.authenticates && !open) {
      if (!admitted?.identity) throw admitted?.refusal ?? missingToken();
      checkScopes(admitted.identity, scopes);
    }
    if (!limit || admitted?.client === undefined) return;
    const allowance = limit.take(admitted.client);
    tell(http.getResponse<FastifyReply>(), allowance);
    if (!allowance.allowed) throw tooMany(allowance);
  }

  #rulesOf(owner: Type, handler: Handler): Rules {
    let known = this.#rules.get(owner);
    if (!known) this.#rules.set(owner, (known = new Map()));
    let rules = known.get(handler);
    if (!rules) known.set(handler, (rules = this.#read(owner, handler)));
    return rules;
  }

  #read(owner: Type, handler: Handler): Rules {
    const limit = limitOn(handler);
    return {
      ...accessOf(owner, handler),
      limit: limit && this.#deps.limitOf(limit),
    };
  }
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
