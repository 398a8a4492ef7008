import { Code, ServiceError } from '@holdfast/core';
import { z } from 'zod';

/**
 * The rule of a user's name: 1 to 64 printable characters, counted as Unicode code points.
 *
 * The name is brought into Unicode's form NFC first: "é" looks and means the same as one character or as two, so that
 * two users whose names differ only in this could not be told apart. Spaces at the ends are refused and not cut off:
 * cutting would answer for another name than the one that was asked for.
 *
 * Printable are letters, marks, digits, punctuation, symbols and spaces (not line breaks), and the two joiners that
 * Persian words and emoji need. Other invisible characters could make two names look the same.
 */
export const userName = z
  .string()
  .normalize('NFC')
  .regex(/^[^]{1,64}$/u, { error: 'must have 1 to 64 characters', abort: true })
  .regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\p{Join_Control}]+$/u, {
    error: 'must have printable characters only',
    abort: true,
  })
  .regex(/^(?![\p{Zs}\p{Join_Control}])[^]*(?<![\p{Zs}\p{Join_Control}])$/u, 'must not begin or end with a space');

/**
 * `name` as the service keeps it.
 * @throws ServiceError INVALID_ARGUMENT with a violation of the field `name`
 */
export function parseUserName(name: string): string {
  const result = userName.safeParse(name);
  if (result.success) return result.data;
  const violations = result.error.issues.map(({ message }) => ({ field: 'name', description: message }));
  throw new ServiceError(Code.INVALID_ARGUMENT, 'This is no name for a user.', { violations, cause: result.error });
}
