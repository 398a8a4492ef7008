import { StartupError } from '@holdfast/core';
import { z } from 'zod';

/** Environment variables as a zod object: one entry a variable, its meaning in `.describe()`, its default in `.default()`. */
export type SettingsSchema = z.ZodObject;

/** A whole number from the environment's text. */
export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .trim()
    .regex(/^\d{1,9}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

/** A TCP port; 0 stands for any free one. */
export const port = () => wholeNumber(0, 65_535);

/**
 * Reads the variables that `schema` names from `env`; an empty one counts as not set.
 * @throws StartupError naming the first variable that is wrong and what it must be
 */
export function readSettings<S extends SettingsSchema>(schema: S, env: NodeJS.ProcessEnv): z.infer<S> {
  const given = Object.keys(schema.shape).flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = String(issue?.path[0]);
  if (env[name] === undefined) throw new StartupError(`${name} is not set: ${schema.shape[name]?.description}`);
  // The value itself is not shown: some settings are secrets.
  throw new StartupError(`${name} ${issue?.message}; it is: ${schema.shape[name]?.description}`);
}

export interface SettingFacts {
  readonly name: string;
  readonly default: string;
  readonly meaning: string;
}

/** What the documentation says of each setting in `schema`, in its order. */
export function describeSettings(schema: SettingsSchema): readonly SettingFacts[] {
  return Object.entries(schema.shape).map(([name, entry]) => {
    const fallback = z.safeParse(entry as z.ZodType, undefined);
    return {
      name,
      default: fallback.success && fallback.data !== undefined ? String(fallback.data) : '',
      meaning: (entry as z.ZodType).description ?? '',
    };
  });
}
