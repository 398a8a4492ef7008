import type { DynamicModule, Type } from '@nestjs/common';
import type { Edge, EdgeOptions } from '@holdfast/edge/server';
import { partsOf } from './module-parts.js';
import type { Platform } from './platform.js';

/** The HTTP edge of `app`. Its code is loaded here: a service without one does without. */
export async function edgeOf(
  app: Type | DynamicModule,
  http: true | EdgeOptions,
  { self, settings, config, lifecycle, telemetry, clock }: Platform,
): Promise<Edge> {
  const { classes } = await partsOf(app);
  const { Edge } = await import('@holdfast/edge/server');
  return new Edge(http === true ? {} : http, {
    name: self.name,
    settings,
    config,
    classes,
    draining: () => lifecycle.phase.value === 'draining',
    observer: { route: telemetry.route, request: (facts) => telemetry.access.request(facts) },
    clock,
  });
}
