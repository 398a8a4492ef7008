import type { z } from 'zod';
import type { Demand } from './claim.js';

/** A key of the app's own settings, with the schema that gives its values meaning, bounds and defaults. */
export interface ConfigKey<S extends z.ZodType = z.ZodType> extends Demand {
  readonly schema: S;
  readonly code?: z.input<S> | undefined;
  /** What the live value is injected by. */
  readonly token: symbol;
}

/**
 * Names a part of the settings, to be given to `LiveConfigModule.forFeature` and `@InjectConfig`:
 *
 *     export const greeting = configKey('greeting', z.object({ template: z.string().default('Hello {name}') }));
 *
 * @param key words with dots between them
 * @param code what the code says over the schema's own defaults. @default nothing
 */
export function configKey<S extends z.ZodType>(key: string, schema: S, code?: z.input<S>): ConfigKey<S> {
  return { key, schema, code, token: Symbol(`config ${key}`) };
}
