import type { DynamicModule, Type } from '@nestjs/common';
import { ConfigEditor } from '@holdfast/config';
import type { ConsoleSubject } from '@holdfast/console';
import { configDemands } from './config-demands.js';
import type { Platform } from './platform.js';

/** What the live page shows of a process, and lets operators with the token do. */
export function consoleOf(platform: Platform, app: Type | DynamicModule): ConsoleSubject {
  const { clock, config, discovery, journal, lifecycle, resilience, self, settings, targets } = platform;
  const editor = async () => {
    const by = `live page of ${self.id}`;
    return new ConfigEditor(self.name, await configDemands(app), config.drivers, { clock, by });
  };
  const token = settings.ADMIN_TOKEN;
  return { clock, config, discovery, journal, lifecycle, resilience, self, targets, token, editor };
}
