import { addressOf, type Instance } from '@holdfast/discovery';
import type { Link } from './transport.js';

/** One instance of a target as this process sees it: the way to it and what was learned about it. It outlives every update of the view. */
export class Peer {
  readonly address: string;
  readonly link: Link;
  /** What the registry says of it now. */
  instance: Instance;
  /** Calls that run on it now. */
  inFlight = 0;
  /** Attempts that were sent to it since it was made. */
  picks = 0;
  /** When the last of them was, on the process's clock; -Infinity before the first. */
  pickedAt = -Infinity;

  constructor(instance: Instance, link: Link) {
    this.address = addressOf(instance);
    this.instance = instance;
    this.link = link;
  }
}
