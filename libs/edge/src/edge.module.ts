import type { Clock, Live } from '@holdfast/core';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AccessGuard, type AccessDeps } from './access.guard.js';
import type { EdgeSpec } from './edge-spec.js';
import type { IdempotencyStore } from './idempotency-store.js';
import { EDGE_SPEC, IDEMPOTENCY_STORE } from './idempotent.js';
import { IdentitySeal, sealOf } from './identity.js';

export interface EdgeModuleOptions extends AccessDeps {
  readonly spec: Live<EdgeSpec>;
  readonly store: IdempotencyStore;
}

/** What the edge's decorators need, for all modules of an app. */
@Module({})
export class EdgeModule {
  /** For an app that serves HTTP. */
  static of(options: EdgeModuleOptions): DynamicModule {
    return moduleOf(new AccessGuard(options), [
      { provide: IdentitySeal, useValue: options.seal ?? null },
      { provide: IDEMPOTENCY_STORE, useValue: options.store },
      { provide: EDGE_SPEC, useValue: options.spec },
    ]);
  }

  /** For an app that is called by others of the mesh alone; without the mesh's secret it cannot tell on whose behalf. */
  static identity(secret: string | undefined, clock: Clock): DynamicModule {
    const seal = sealOf(secret, clock);
    const guard = seal && new AccessGuard({ authenticates: false, seal, limitOf: () => undefined });
    return moduleOf(guard, [{ provide: IdentitySeal, useValue: seal ?? null }]);
  }
}

function moduleOf(guard: AccessGuard | undefined, shared: readonly Provider[]): DynamicModule {
  const guards = guard ? [{ provide: APP_GUARD, useValue: guard }] : [];
  return { module: EdgeModule, global: true, providers: [...shared, ...guards], exports: [...shared] };
}
