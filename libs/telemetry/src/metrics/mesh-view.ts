import type { Config } from '@holdfast/config';
import type { Clock } from '@holdfast/core';
import type { Discovery } from '@holdfast/discovery';
import type { Resilience } from '@holdfast/resilience';
import type { RpcTargets } from '@holdfast/rpc';

/** The parts of a process whose state is shown; nothing of them knows that it is. */
export interface MeshView {
  readonly config: Config;
  readonly discovery: Discovery;
  readonly targets: RpcTargets;
  readonly resilience: Resilience;
  readonly clock: Clock;
  /** Whether traffic should come to it. */
  readonly ready: () => boolean;
}
