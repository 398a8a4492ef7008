export { Telemetry } from './telemetry.js';
export { ServiceLogger, type ServiceLoggerOptions } from './logs/service-logger.js';
export { LogEntry } from './logs/log-entry.js';
export type { HttpAccess } from './logs/access-log.js';
export type { Identity } from './identity.js';
export type { MeshView } from './metrics/mesh-view.js';
export type { TraceSettings } from './traces/trace-settings.js';
