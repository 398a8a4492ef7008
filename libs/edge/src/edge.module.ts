import type { Clock, Live } from '@holdfast/core';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AccessGuard, type AccessDeps } from './access.guard.js';
import type { EdgeSpec } from './edge-spec.js';
import type { IdempotencyStore } from './idempotency-store.js';
import { EDGE_SPEC, IDEMPOTENCY_STORE } from './idempotent.js';
import { IdentitySeal, sealOf } from './identity.js';
import { ROUTE_LIMITS, type RouteLimits } from './route-limit.js';
import { SchemaPipe } from './schema-pipe.js';

export interface EdgeModuleOptions extends AccessDeps {
  readonly spec: Live<EdgeSpec>;
  readonly store: IdempotencyStore;
  readonly limits: RouteLimits;
}

/** What the edge's decorators need, for all modules of an app. */
@Module({})
export class EdgeModule {
  /** For an app that serves HTTP. */
  static of(options: EdgeModuleOptions): DynamicModule {
    return moduleOf(
      options,
      [
        { provide: IdentitySeal, useValue: options.seal ?? null },
        { provide: IDEMPOTENCY_STORE, useValue: options.store },
        { provide: EDGE_SPEC, useValue: options.spec },
        { provide: ROUTE_LIMITS, useValue: options.limits },
      ],
      [{ provide: APP_PIPE, useClass: SchemaPipe }],
    );
  }

  /** For an app that is called by others of the mesh alone; without the mesh's secret it cannot tell on whose behalf. */
  static identity(secret: string | undefined, clock: Clock): DynamicModule {
    const seal = sealOf(secret, clock);
    return moduleOf({ authenticates: false, seal }, [{ provide: IdentitySeal, useValue: seal ?? null }]);
  }
}

function moduleOf(access: AccessDeps, shared: readonly Provider[], own: readonly Provider[] = []): DynamicModule {
  // Each guard costs every request several promises: where nobody can be told from another, there is none.
  const guarded = access.authenticates || access.seal !== undefined;
  const guards = guarded ? [{ provide: APP_GUARD, useValue: new AccessGuard(access) }] : [];
  return { module: EdgeModule, global: true, providers: [...shared, ...own, ...guards], exports: [...shared] };
}
