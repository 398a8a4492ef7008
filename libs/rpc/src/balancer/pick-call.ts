/** What is known of the call that a member is picked for. */
export interface PickCall {
  /** Addresses that earlier attempts went to: avoided while there is another. */
  readonly tried?: ReadonlySet<string> | undefined;
  /** What `consistent_hash` keys on. */
  readonly hashKey?: string | undefined;
  /** How long the attempt may take, in milliseconds. @default Infinity: it may be silent for as long as it likes */
  readonly patienceMs?: number;
  /** Whether it may be the probe of an ejected member. @default false */
  readonly idempotent?: boolean;
}

/** Whether an answer is owed in time. */
export function isBounded({ patienceMs }: PickCall): boolean {
  return patienceMs !== undefined && patienceMs !== Infinity;
}
