import { Logger, type DynamicModule, type Type } from '@nestjs/common';
import { StartupError } from '@holdfast/core';
import { ServiceLogger } from '@holdfast/telemetry';
import { selfOf } from './self.js';
import { serviceSettings } from './service-settings.js';
import { readSettings } from './settings.js';
import { startService, type RunningService, type ServiceOptions } from './start-service.js';

/** How long after the drain's bound the process may still take to close what is left, in milliseconds. */
const CLOSING_MS = 3_000;

/**
 * The whole of an app's `main.ts`: runs the service until SIGTERM or SIGINT, or until the process that started it is gone,
 * then drains and exits with 0. What keeps it from starting is one sentence on stderr and exit code 1.
 */
export async function runService(app: Type | DynamicModule, options: ServiceOptions): Promise<void> {
  let service: RunningService;
  let drainMs: number;
  try {
    const settings = readSettings(serviceSettings, options.env ?? process.env);
    drainMs = settings.DRAIN_MS;
    const self = selfOf(options.name, settings);
    const logger = new ServiceLogger(self, { level: settings.LOG_LEVEL });
    Logger.overrideLogger(logger);
    service = await startService(app, { ...options, self });
    logger.setLevel(service.logLevel.value);
    service.logLevel.subscribe((level) => logger.setLevel(level));
  } catch (error) {
    console.error(error instanceof StartupError ? `${options.name}: ${error.message}` : error);
    process.exit(1);
  }
  const stop = () => {
    const overdue = setTimeout(() => {
      console.error(`${options.name}: not closed ${CLOSING_MS} ms after its drain; exiting.`);
      process.exit(1);
    }, drainMs + CLOSING_MS);
    void service.stop().then(() => {
      clearTimeout(overdue);
      process.exit(0);
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
  const { self, http, grpc, admin } = service;
  process.send?.({ type: 'ready', name: self.name, id: self.id, http, grpc, admin });
  Logger.log(
    `${self.id} is ready: ${[http, grpc && `grpc ${grpc}`, `admin ${admin}`].filter(Boolean).join(', ')}`,
    'Service',
  );
}
