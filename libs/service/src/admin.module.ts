import { Controller, Get, Inject, Module, type DynamicModule } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  TerminusModule,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { ConsoleModule, type ConsoleSubject } from '@holdfast/console';
import { Telemetry } from '@holdfast/telemetry';
import { MetricsController } from './metrics.controller.js';
import type { Platform } from './platform.js';

/** How many reasons readiness gives; `/mesh` has them all. */
const MOST_REASONS = 5;

const SUBJECT = Symbol('admin subject');

@Controller()
export class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(SUBJECT) private readonly subject: Platform,
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
  constructor(@Inject(SUBJECT) private readonly subject: Platform) {}

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
  static for(subject: Platform, console: ConsoleSubject): DynamicModule {
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
