/** Whose telemetry it is. */
export interface Identity {
  readonly name: string;
  readonly id: string;
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
}
