import { z } from 'zod';

/**
 * A user's name as text that can be sent on. What a name may be is the user service's to say: here it is only kept from
 * being something else or endless. A lone surrogate has no bytes in UTF-8 and would reach the service as another character.
 */
const name = z
  .string('must be a string')
  .max(1_024, 'must not be longer than 1024 characters')
  .regex(/^\P{Surrogate}*$/u, 'must be well-formed Unicode text');

/** `:name` in a path. */
export const namePath = z.object({ name });
export type NamePath = z.infer<typeof namePath>;

/** The body of `POST /users`. */
export const newUser = z.strictObject({ name }, 'must be a JSON object');
export type NewUser = z.infer<typeof newUser>;
