import type { Clock, Random } from '@holdfast/core';
import type { Server } from './server.js';

export type Ended = 'success' | 'failure' | 'timeout';

/** One client's balancer: it knows the servers, and nothing that a real client could not know. */
export interface Chooser {
  /** A server is there from now on. */
  add(server: Server): void;
  pick(): Server;
  done(server: Server, how: Ended, durationMs: number): void;
}

/** What each client's balancer is made with. */
export interface ChooserDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** The zone that the client runs in. */
  readonly zone: string | undefined;
  /** How long a call may take, in milliseconds. */
  readonly patienceMs: number;
}

/** A way of balancing that is compared with the others. */
export interface Contender {
  readonly name: string;
  readonly make: (deps: ChooserDeps) => Chooser;
}
