import type { Config, ConfigEditor } from '@holdfast/config';
import type { Clock, Journal, Live } from '@holdfast/core';
import type { Discovery } from '@holdfast/discovery';
import type { Resilience } from '@holdfast/resilience';
import type { RpcTargets } from '@holdfast/rpc';

/** The process that the live page shows, and what an operator may do to it. */
export interface ConsoleSubject {
  readonly self: {
    readonly name: string;
    readonly id: string;
    readonly zone: string | undefined;
    readonly host: string;
  };
  readonly lifecycle: { readonly phase: Live<string> };
  readonly config: Config;
  readonly discovery: Discovery;
  readonly targets: RpcTargets;
  readonly resilience: Resilience;
  readonly journal: Journal;
  readonly clock: Clock;
  /** What an operator must show to act; a secret. Without one, the page only shows. */
  readonly token: string | undefined;
  /** The process's settings as an operator edits them; made when the first one does. */
  readonly editor: () => Promise<ConfigEditor>;
}
