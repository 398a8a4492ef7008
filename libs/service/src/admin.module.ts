import { Controller, Get, Inject, Module, type DynamicModule } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  TerminusModule,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import type { Config } from '@holdfast/config';
import { ConsoleModule, type ConsoleSubject } from '@holdfast/console';
import type { Clock } from '@holdfast/core';
import type { Discovery } from '@holdfast/discovery';
import type { Resilience } from '@holdfast/resilience';
import type { RpcTargets } from '@holdfast/rpc';
import { Telemetry } from '@holdfast/telemetry';
import type { Lifecycle } from './lifecycle.js';
import { MetricsController } from './metrics.controller.js';
import type { Self } from './self.js';

/** What the admin port shows. */
export interface AdminSubject {
  readonly self: Self;
  readonly lifecycle: Lifecycle;
  readonly config: Config;
  readonly discovery: Discovery;
  readonly targets: RpcTargets;
  readonly clock: Clock;
  readonly resilience: Resilience;
  readonly telemetry: Telemetry;
}

/** How many reasons readiness gives; `/mesh` has them all. */
const MOST_REASONS = 5;

const SUBJECT = Symbol('admin subject');

@Controller()
export class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(SUBJECT) private readonly subject: AdminSubject,
  ) {}

  /** The process can still answer. It looks at nothing else: restarting it would mend no dependency. */
  @Get('livez')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Traffic should come here: from the end of the start until the beginning of the drain. An outage of registry or configuration store only degrades. */
  @Get('readyz')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.#phase(), () => this.#registry(), () => this.#config()]);
  }

  #phase(): HealthIndicatorResult {
    const phase = this.subject.lifecycle.phase.value;
    return { service: { status: phase === 'ready' ? 'up' : 'down', phase } };
  }

  #registry(): HealthIndicatorResult {
    const { status, reason } = this.subject.discovery.contact.value;
    return { registry: { status: 'up', degraded: status === 'down', ...(reason !== undefined && { reason }) } };
  }

  #config(): HealthIndicatorResult {
    const { degraded, layers, problems } = this.subject.config.status.value;
    const reasons = [...layers.flatMap(({ reason }) => reason ?? []), ...problems.map(({ reason }) => reason)];
    return {
      config: { status: 'up', degraded, ...(reasons.length > 0 && { reasons: reasons.slice(0, MOST_REASONS) }) },
    };
  }
}

@Controller('mesh')
export class MeshController {
  constructor(@Inject(SUBJECT) private readonly subject: AdminSubject) {}

  /** Who this process is, how its settings stand, what it believes about the registry, what it calls, and how its policies stand. */
  @Get()
  state() {
    const { self, lifecycle, config, discovery, targets, resilience } = this.subject;
    return {
      self,
      phase: lifecycle.phase.value,
      config: config.status.value,
      registry: { name: discovery.registryName, ...discovery.contact.value },
      targets: targets.all.map((target) => ({
        name: target.name,
        origin: target.view.origin,
        held: target.view.held,
        // More than half of the peers would be ejected, so that none is.
        panic: target.panic,
        peers: target.states(),
      })),
      resilience: resilience.states(),
    };
  }
}

@Module({})
export class AdminModule {
  static for(subject: AdminSubject, console: ConsoleSubject): DynamicModule {
    return {
      module: AdminModule,
      imports: [TerminusModule.forRoot({ logger: false }), ConsoleModule.for(console)],
      controllers: [HealthController, MeshController, MetricsController],
      providers: [
        { provide: SUBJECT, useValue: subject },
        { provide: Telemetry, useValue: subject.telemetry },
      ],
    };
  }
}
