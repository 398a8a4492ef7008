import { z } from 'zod';

/** A length of time: a number of milliseconds, or a number with its unit: `'250ms'`, `'1.5s'`, `'2m'`. */
export type Duration = number | `${number}ms` | `${number}s` | `${number}m`;

const unitsInMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };
const WRITTEN = /^(\d+(?:\.\d+)?)(ms|s|m)$/;

/** The longest time that any policy takes, in milliseconds: an hour. */
const LONGEST_MS = 3_600_000;

/** A schema for a {@link Duration} of `minMs` up to an hour; it gives milliseconds. */
export function duration(minMs: number) {
  const message = `must be a duration from ${minMs}ms to 60m, such as '250ms', '1s' or a number of milliseconds`;
  return z
    .custom<Duration>(
      (value) => typeof value === 'number' || (typeof value === 'string' && WRITTEN.test(value)),
      message,
    )
    .transform(millisecondsOf)
    .refine((ms) => ms >= minMs && ms <= LONGEST_MS, message);
}

function millisecondsOf(value: Duration): number {
  if (typeof value === 'number') return value;
  const [, amount, unit] = WRITTEN.exec(value)!;
  return Number(amount) * unitsInMs[unit!]!;
}
