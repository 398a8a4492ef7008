export { runService } from './run-service.js';
export { startService, type RunningService, type ServiceOptions } from './start-service.js';
export { InjectSettings, settingsToken } from './service.module.js';
export { InjectSelf, type Self } from './self.js';
export {
  describeSettings,
  port,
  readSettings,
  wholeNumber,
  type SettingFacts,
  type SettingsSchema,
} from './settings.js';
export { serviceSettings } from './service-settings.js';
export { Lifecycle, type Phase } from './lifecycle.js';
export { configDemands } from './config-demands.js';
