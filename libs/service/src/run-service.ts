import { Logger, type DynamicModule, type Type } from '@nestjs/common';
import { StartupError } from '@holdfast/core';
import { ServiceLogger } from '@holdfast/telemetry';
import { selfOf } from './self.js';
import { serviceSettings } from './service-settings.js';
import { readSettings } from './settings.js';
import { startService, type RunningService, type ServiceOptions } from './start-service.js';

/** How long after the drain's bound the process may still take to close what is left, in milliseconds. */
export const CLOSING_MS = 3_000;

/**
 * The whole of an app's `main.ts`: runs the service until SIGTERM or SIGINT, or until the process that started it is gone,
 * then drains and exits with 0. What keeps it from starting is one sentence on stderr and exit code 1.
 */
export async function runService(app: Type | DynamicModule, options: ServiceOptions): Promise<void> {
  let service: RunningService;
  try {
    const settings = readSettings(serviceSettings, options.env ?? process.env);
    const self = selfOf(options.name, settings);
    const logger = new ServiceLogger(self, { level: settings.LOG_LEVEL });
    Logger.overrideLogger(logger);
    const starting = startService(app, { ...options, self });
    // A process that is stopped while it starts does start, since half of it may be known to others, and stops then.
    const stop = () => void end(starting, settings.DRAIN_MS, options.name);
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    process.once('disconnect', stop);
    service = await starting;
    logger.setLevel(service.logLevel.value);
    service.logLevel.subscribe((level) => logger.setLevel(level));
  } catch (error) {
    console.error(error instanceof StartupError ? `${options.name}: ${error.message}` : error);
    process.exit(1);
  }
  const { self, http, grpc, admin } = service;
  process.send?.({ type: 'ready', name: self.name, id: self.id, http, grpc, admin });
  Logger.log(
    `${self.id} is ready: ${[http, grpc && `grpc ${grpc}`, `admin ${admin}`].filter(Boolean).join(', ')}`,
    'Service',
  );
}

async function end(starting: Promise<RunningService>, drainMs: number, name: string): Promise<void> {
  const overdue = setTimeout(() => {
    console.error(`${name}: not closed ${CLOSING_MS} ms after its drain; exiting.`);
    process.exit(1);
  }, drainMs + CLOSING_MS);
  const service = await starting.catch(() => undefined);
  // A start that failed says so, and exits, by itself.
  if (!service) return;
  await service.stop();
  clearTimeout(overdue);
  process.exit(0);
}
