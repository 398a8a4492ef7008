const unitMs: Readonly<Record<string, number>> = { n: 1e-6, u: 1e-3, m: 1, S: 1_000, M: 60_000, H: 3_600_000 };
const maxDigits = 8;

/** `ms` milliseconds as `grpc-timeout` has it: eight digits and a unit at most (grpc/grpc `doc/PROTOCOL-HTTP2.md`). */
export function encodeTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole < 10 ** maxDigits ? `${whole}m` : `${Math.min(Math.ceil(ms / 1_000), 10 ** maxDigits - 1)}S`;
}

/** The milliseconds in a `grpc-timeout`; undefined where it is none. */
export function decodeTimeout(text: string): number | undefined {
  const unit = unitMs[text.at(-1) ?? ''];
  const digits = text.slice(0, -1);
  if (unit === undefined || digits.length === 0 || digits.length > maxDigits || !/^\d+$/.test(digits)) return undefined;
  return Number(digits) * unit;
}
