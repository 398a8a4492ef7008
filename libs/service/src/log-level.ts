import type { LogLevel } from '@nestjs/common';
import { z } from 'zod';

/** From the most severe on. */
const levels = ['error', 'warn', 'log', 'debug'] as const satisfies readonly LogLevel[];

/** What `log.level` and `LOG_LEVEL` may say. */
export const logLevel = z
  .enum(levels, 'must be debug, log, warn or error')
  .describe('Least severe kind of line that is logged: debug, log, warn or error.');

export type LeastLevel = z.infer<typeof logLevel>;

/** Every level that is logged, as Nest wants it. */
export function levelsFrom(least: LeastLevel): LogLevel[] {
  return levels.slice(0, levels.indexOf(least) + 1);
}
