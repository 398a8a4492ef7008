import type { DynamicModule, Type } from '@nestjs/common';
import { ConfigEditor } from '@holdfast/config';
import type { ConsoleSubject } from '@holdfast/console';
import type { Journal } from '@holdfast/core';
import type { AdminSubject } from './admin.module.js';
import { configDemands } from './config-demands.js';
import type { ServiceSettings } from './service-settings.js';

/** What the live page shows of a process, and lets operators with the token do. */
export function consoleOf(
  subject: AdminSubject,
  journal: Journal,
  app: Type | DynamicModule,
  { ADMIN_TOKEN: token }: ServiceSettings,
): ConsoleSubject {
  const { clock, config, self } = subject;
  const editor = async () => {
    return new ConfigEditor(self.name, await configDemands(app), config.drivers, {
      clock,
      by: `live page of ${self.id}`,
    });
  };
  return { ...subject, journal, token, editor };
}
